//! The filter language against both databases and in memory, which must agree.

use std::collections::HashSet;
use std::time::Duration;

use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::schema::SCHEMA;
use audit_collector::search::{Field, Filter, Search};
use axum::http::StatusCode;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use shared::database::{Database, Schema};
use shared::event::{Class, Facts, Identity, Outcome};
use url::form_urlencoded;
use uuid::Uuid;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event_of, request_facts, requests};
use crate::harness::eventually;
use crate::harness::places::{locality, places};

on_both_databases!(
    the_language_finds_what_it_says,
    both_databases_and_the_memory_agree_on_every_filter,
    a_search_that_takes_too_long_is_given_up_and_says_how_to_narrow_it,
    a_wrong_filter_is_answered_with_its_place,
);

/// Filters in the sweep: enough that every field and operator stands in many of them.
const FILTERS: usize = 400;

fn query(filter: &str) -> String {
    form_urlencoded::Serializer::new("limit=500".to_owned())
        .append_pair("q", filter)
        .finish()
}

async fn found(log: &EventLog, filter: &str) -> HashSet<Uuid> {
    let search = Search::parse(&query(filter), NOW).unwrap();
    let page = log.search(&search).await.unwrap();
    page.events.iter().map(|event| event.id).collect()
}

async fn the_language_finds_what_it_says(database: &TestDatabase) {
    let log = database.log().await;
    let usual = arrival(event_of("api-service", at(-3600), request_facts()));
    let mut facts = request_facts().because("token_expired");
    facts.outcome = Outcome::Denied;
    facts.actor.username = Some("Bob B".into());
    facts.client.as_mut().unwrap().ip = Some("10.20.30.40".into());
    let http = facts.http.as_mut().unwrap();
    (http.method, http.path, http.status) = ("POST".into(), "/orders/17/Lines".into(), Some(401));
    http.duration_us = Some(250_000);
    let odd = arrival(event_of("api-service", at(-60), facts));
    log.append(&[usual.clone(), odd.clone()], &[], NOW).await.unwrap();

    for filter in [
        "outcome:denied",
        "user:\"Bob B\"",
        "user:Bob*",
        "user:(\"Bob B\" OR carol)",
        "status:>=400 path:/orders/17/*",
        "status:4xx",
        "status:400..499",
        "-status:..399",
        "-outcome:granted reason:*",
        "reason:token_expired OR reason:token_revoked",
        "ip:10.0.0.0/8",
        "last:15m",
        "time:>=2026-01-14T23:59:00Z",
        "method:POST duration:>=250ms duration:..1s",
        "LINES",
        "expired",
        "class:access NOT (user:alice OR status:200)",
    ] {
        assert_eq!(
            found(&log, filter).await,
            HashSet::from([odd.event.id]),
            "{filter}"
        );
    }
    for filter in [
        "-reason:*",
        "user:alice",
        "last:24h -last:15m",
        "time:2026-01-14 duration:* OR status:200",
    ] {
        let expected = if filter.contains("duration") {
            HashSet::from([odd.event.id, usual.event.id])
        } else {
            HashSet::from([usual.event.id])
        };
        assert_eq!(found(&log, filter).await, expected, "{filter}");
    }
    for filter in ["user:bob", "reason:expired", "ip:11.0.0.0/8", "time:2026-01-15"] {
        assert!(found(&log, filter).await.is_empty(), "{filter}");
    }
}

/// Texts with everything that one of the two databases could treat in its own way.
const TEXTS: &[&str] = &[
    "alice",
    "Alice",
    "al",
    "a%b_c",
    "a\\b",
    "\u{e4}\u{f6}",
    "\u{c4}b",
    "/orders/1",
    "/orders/",
    "A\u{fffd}",
];

fn facts() -> impl Strategy<Value = Facts> {
    let text = || prop::option::of(prop::sample::select(TEXTS).prop_map(str::to_owned));
    let who = (text(), text(), text(), text());
    let what = (
        prop::sample::select(&Class::ALL[..]),
        prop::sample::select(&Outcome::ALL[..]),
        text(),
        text(),
        text(),
    );
    let http = (
        prop::sample::select(&["GET", "POST"][..]),
        prop::option::of(prop::sample::select(&[200_u16, 399, 400, 401, 499, 500][..])),
        prop::option::of(0_u64..5_000_000),
    );
    let ip = prop::option::of(prop::sample::select(
        &["192.0.2.7", "10.1.2.3", "2001:db8::7", "::1", "not an address"][..],
    ));
    (who, what, http, ip).prop_map(|(who, what, http, ip)| {
        let mut facts = request_facts();
        (facts.class, facts.outcome) = (what.0, what.1);
        facts.action = what.2.unwrap_or_else(|| "api_request".into());
        facts.reason = what.3;
        (
            facts.actor.sub,
            facts.actor.username,
            facts.actor.sid,
            facts.actor.client_id,
        ) = who;
        facts.actor.identity = Identity::Claimed;
        facts.client.as_mut().unwrap().ip = ip.map(str::to_owned);
        let path = what.4;
        let request = facts.http.as_mut().unwrap();
        (request.method, request.status, request.duration_us) = (http.0.into(), http.1, http.2);
        match path {
            Some(path) => request.path = path,
            None => facts.http = None,
        }
        facts
    })
}

fn term() -> impl Strategy<Value = String> {
    let quoted = prop::sample::select(TEXTS).prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\")));
    let text = (
        prop::sample::select(
            &[
                Field::User,
                Field::Sub,
                Field::Client,
                Field::Sid,
                Field::Action,
                Field::Reason,
                Field::Path,
                Field::Route,
            ][..],
        ),
        quoted.clone(),
        prop::sample::select(&["", "*"][..]),
    )
        .prop_map(|(field, text, star)| format!("{}:{text}{star}", field.name()));
    let others = prop::sample::select(
        &[
            "status:4xx",
            "status:>=400",
            "status:<400",
            "status:399..499",
            "status:*",
            "duration:>1s",
            "duration:..900ms",
            "ip:10.0.0.0/8",
            "ip:2001:db8::/32",
            "ip:*",
            "country:kr",
            "country:*",
            "country:D*",
            "asn:64500",
            "asn:>AS64500",
            "asn:*",
            "ip:192.0.2.7",
            "outcome:denied",
            "class:auth",
            "reason:*",
            "route:*",
            "path:*",
            "method:POST",
            "time:>2026-01-15T00:00:20Z",
            "time:2026-01-15",
            "time:..2026-01-15T00:00:30Z",
            "last:1s",
            "identity:claimed",
            "seq:1",
            "seq:>1",
            "service:api-service",
            "alice",
            "ORDERS",
            "\"a%b\"",
            "\"\u{e4}\u{f6}\"",
            "\"\u{c4}b\"",
        ][..],
    )
    .prop_map(str::to_owned);
    prop_oneof![text, others]
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several().prop_map(|parts| format!("({})", parts.join(" "))),
            several().prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.clone().prop_map(|part| format!("-{part}")),
        ]
    })
}

async fn both_databases_and_the_memory_agree_on_every_filter(database: &TestDatabase) {
    let log = database.log().await.with_places(Some(places()));
    let mut runner = TestRunner::deterministic();
    let mut sample = |count: usize| -> Vec<Facts> {
        (0..count)
            .map(|_| facts().new_tree(&mut runner).unwrap().current())
            .collect()
    };
    let events: Vec<Arrival> = (0..)
        .zip(sample(200))
        .map(|(second, facts)| arrival(event_of("api-service", at(second % 60), facts)))
        .collect();
    log.append(&events, &[], NOW).await.unwrap();

    let mut told_apart = 0;
    for _ in 0..FILTERS {
        let text = filter().new_tree(&mut runner).unwrap().current();
        let filter = Filter::parse(&text, NOW).unwrap();
        let in_memory: HashSet<Uuid> = events
            .iter()
            .filter(|arrival| filter.matches(&arrival.event, locality(&arrival.event), NOW))
            .map(|arrival| arrival.event.id)
            .collect();
        assert_eq!(found(&log, &text).await, in_memory, "{text}");
        told_apart += usize::from(!in_memory.is_empty() && in_memory.len() < events.len());
    }

    assert!(
        told_apart > FILTERS / 2,
        "only {told_apart} filters tell events apart"
    );
}

async fn a_search_that_takes_too_long_is_given_up_and_says_how_to_narrow_it(database: &TestDatabase) {
    let log = database.log().await;
    for _ in 0..4 {
        log.append(&requests(1_000), &[], NOW).await.unwrap();
    }
    let impatient = Schema {
        read_statement_timeout: Duration::from_millis(20),
        ..SCHEMA
    };
    let log = EventLog::new(Database::open(&database.url, &impatient).await.unwrap());
    let api = TestApi::on(log);
    let words: Vec<String> = (0..60).map(|word| format!("absent{word}")).collect();

    let answer = api
        .get(&format!("/v1/events?{}", query(&words.join(" OR "))))
        .await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.body["code"], "search_too_costly");
    assert!(answer.body["detail"].as_str().unwrap().contains("`from`"));
    // What was given up holds nothing up. On a busy machine one event alone may take longer than so impatient a statement does.
    eventually("a search after one that was given up", async || {
        let answer = api.get("/v1/events?limit=1").await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}

async fn a_wrong_filter_is_answered_with_its_place(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);

    let answer = api.get("/v1/events?q=user:alice+stauts:401").await;

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["code"], "parameter_invalid");
    assert_eq!(answer.body["parameter"], "q");
    assert_eq!(answer.body["at"], 11);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("did you mean `status`"), "{detail}");
}
