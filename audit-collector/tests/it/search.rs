//! Finding events: every filter, and pages that neither skip nor repeat.

use std::collections::HashSet;

use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::search::Search;
use shared::event::{Class, Facts, Outcome, action};
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, event_of, request_facts, requests};

on_both_databases!(
    every_filter_finds_what_it_says_and_nothing_else,
    pages_neither_skip_nor_repeat_while_events_arrive,
    events_of_one_moment_are_paged_by_their_ids,
    a_row_that_somebody_changed_is_told_and_hides_nothing,
);

async fn ids(log: &EventLog, query: &str) -> Vec<Uuid> {
    let page = log.search(&Search::parse(query, NOW).unwrap()).await.unwrap();
    page.events.iter().map(|event| event.id).collect()
}

/// An event that differs from a usual request in everything that can be filtered by.
fn odd_one() -> Arrival {
    let mut facts =
        Facts::new(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure).because("password_wrong");
    let usual = request_facts();
    facts.actor = usual.actor.clone();
    facts.actor.sub = Some("usr_bob".into());
    facts.actor.username = Some("bob".into());
    facts.actor.sid = Some("ses_2".into());
    facts.actor.jti = Some("jti_2".into());
    facts.client = usual.client.clone();
    if let Some(client) = &mut facts.client {
        client.ip = Some("2001:db8::7".into());
    }
    facts.http = usual.http.clone();
    if let Some(http) = &mut facts.http {
        http.route = Some("/v1/login".into());
        http.path = "/v1/login".into();
        http.status = Some(401);
    }
    facts.policy = usual.policy.clone();
    if let Some(policy) = &mut facts.policy {
        policy.route = Some("login".into());
    }
    facts.trace = usual.trace.clone();
    if let Some(trace) = &mut facts.trace {
        trace.request_id = "req_2".into();
    }
    arrival(event_of("auth-service", at(100), facts))
}

async fn every_filter_finds_what_it_says_and_nothing_else(database: &TestDatabase) {
    let log = database.log().await;
    let (usual, odd) = (arrival(event(NOW, request_facts())), odd_one());
    log.append(&[usual.clone(), odd.clone()], &[], NOW).await.unwrap();

    for query in [
        "from=2026-01-15T00:01:40Z",
        "from=2026-01-15T01:01:40%2B01:00",
        "user=bob",
        "user=usr_bob",
        "sub=usr_bob",
        "sid=ses_2",
        "jti=jti_2",
        "ip=2001:DB8:0:0::7",
        "route=login",
        "route=/v1/login",
        "path=/v1/login",
        "outcome=failure",
        "action=authn_login_fail",
        "class=auth",
        "reason=password_wrong",
        "status=401",
        "request_id=req_2",
        "service=auth-service",
        "user=bob&ip=2001:db8::7&status=401&class=auth&from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:00Z",
    ] {
        assert_eq!(ids(&log, query).await, [odd.event.id], "{query}");
    }
    for query in [
        "to=2026-01-15T00:01:40Z",
        "ip=::ffff:192.0.2.7",
        "route=/orders/{id}",
        "status=200",
    ] {
        assert_eq!(ids(&log, query).await, [usual.event.id], "{query}");
    }
    for query in [
        "user=bob&status=200",
        "sub=bob",
        "sub=USR_BOB",
        "user=%25",
        "path=/v1/",
    ] {
        assert!(ids(&log, query).await.is_empty(), "{query}");
    }
    assert_eq!(ids(&log, "").await, [odd.event.id, usual.event.id]);
}

async fn pages_neither_skip_nor_repeat_while_events_arrive(database: &TestDatabase) {
    let log = database.log().await;
    let before = requests(47);
    log.append(&before, &[], NOW).await.unwrap();

    let mut seen = Vec::new();
    let mut query = "sub=usr_alice&limit=7".to_owned();
    for round in 0_i64.. {
        let page = log.search(&Search::parse(&query, NOW).unwrap()).await.unwrap();
        seen.extend(page.events.iter().map(|event| event.id));
        let Some(cursor) = page.next_cursor else { break };
        query = format!("sub=usr_alice&limit=7&cursor={cursor}");
        let newer = arrival(event(at(1_000 + round), request_facts()));
        log.append(&[newer], &[], at(1_000 + round)).await.unwrap();
    }

    let expected: Vec<_> = before.iter().rev().map(|arrival| arrival.event.id).collect();
    assert_eq!(seen, expected);
}

async fn events_of_one_moment_are_paged_by_their_ids(database: &TestDatabase) {
    let log = database.log().await;
    let batch: Vec<_> = (0..25).map(|_| arrival(event(at(5), request_facts()))).collect();
    log.append(&batch, &[], NOW).await.unwrap();

    let mut seen = Vec::new();
    let mut query = "limit=4".to_owned();
    loop {
        let page = log.search(&Search::parse(&query, NOW).unwrap()).await.unwrap();
        seen.extend(page.events.iter().map(|event| event.id));
        let Some(cursor) = page.next_cursor else { break };
        query = format!("limit=4&cursor={cursor}");
    }

    assert_eq!(seen.len(), 25);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 25);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
}

async fn a_row_that_somebody_changed_is_told_and_hides_nothing(database: &TestDatabase) {
    let log = database.log().await;
    log.append(&requests(3), &[], NOW).await.unwrap();
    let (text, bytes) = if log.database().is_postgres() {
        ("RETURNING 1::bigint", "'\\x6b'::bytea")
    } else {
        ("RETURNING 1", "x'6b'")
    };
    database
        .number(&format!(
            "UPDATE event SET body = {bytes} WHERE ordinal = 1 {text}"
        ))
        .await;

    let page = log.search(&Search::parse("", NOW).unwrap()).await.unwrap();

    let shown = serde_json::to_value(&page).unwrap();
    assert_eq!(shown["events"].as_array().unwrap().len(), 3);
    assert_eq!(shown["events"][1]["unreadable"], true);
    assert_eq!(shown["events"][0]["action"], "api_request");
}
