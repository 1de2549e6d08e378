//! Pseudonyms in place of names and addresses: what is stored, found, told and compared by them, and who learns what they stand for.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use audit_collector::detection::DetectionSettings;
use audit_collector::detection::past::{Span, replay};
use audit_collector::event_log::{Appended, EventLog};
use audit_collector::pseudonym::{Hidden, Pseudonyms};
use audit_collector::settings::{PREFIX, Settings};
use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::clock::SystemClock;
use shared::event::action;
use shared::runtime::settings::Reader;
use tempfile::TempDir;

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, failure, notifying, sign_in, until_read};
use crate::harness::events::{NOW, arrival, at, event, request_facts, requests};
use crate::harness::places::places;

on_both_databases!(
    what_is_stored_and_shown_tells_no_name_and_no_address,
    only_who_may_identify_learns_what_a_pseudonym_stands_for_and_says_why,
    what_cannot_be_revealed_is_told_apart,
    who_may_identify_finds_somebody_by_pseudonym,
    what_comes_again_is_known_by_what_it_said,
    another_key_knows_nothing_and_costs_nothing,
    rules_find_the_same_as_without_pseudonyms,
);

/// Pseudonyms of everything, by the keys of these digits.
pub(crate) fn pseudonyms(keys: &[char]) -> Arc<Pseudonyms> {
    let keys = keys
        .iter()
        .map(|digit| digit.to_string().repeat(64).parse().unwrap());
    let keys: Vec<_> = keys.collect();
    let made = Pseudonyms::new([Hidden::Names, Hidden::Addresses], &keys);
    Arc::new(made.unwrap())
}

async fn disguised(database: &TestDatabase, keys: &[char]) -> EventLog {
    database.log().await.with_pseudonyms(Some(pseudonyms(keys)))
}

async fn ask(api: &TestApi, path: &str, body: Value) -> Answer {
    api.act(("POST", path), "audit:identify", None, &body).await
}

async fn what_is_stored_and_shown_tells_no_name_and_no_address(database: &TestDatabase) {
    let log = disguised(database, &['a']).await.with_places(Some(places()));
    let batch = requests(3);
    log.append(&batch, &[], NOW).await.unwrap();
    let api = TestApi::on(log);

    for (body, username) in database
        .rows::<(Vec<u8>, String)>("SELECT body, username FROM event")
        .await
    {
        let body = String::from_utf8(body).unwrap();
        assert!(!body.contains("\"alice\"") && !body.contains("192.0.2"), "{body}");
        assert!(body.contains("usr_alice") && body.contains(&username), "{body}");
    }
    let shown = api.get(&format!("/v1/events/{}", batch[0].event.id)).await.body;
    let (name, ip) = (
        shown["actor"]["username"].as_str().unwrap(),
        shown["client"]["ip"].as_str().unwrap(),
    );
    assert!(name.starts_with('~') && ip != "192.0.2.7", "{shown}");
    // Where it is was looked up by the true address.
    assert_eq!(
        (&shown["has_pseudonyms"], &shown["country"]),
        (&json!(true), &json!("KR"))
    );
    for (filter, expected) in [
        (format!("user:{name}"), 3),
        (format!("ip:{ip}"), 3),
        ("user:usr_alice".to_owned(), 3),
        ("user:alice".to_owned(), 0),
        ("ip:192.0.2.7".to_owned(), 0),
    ] {
        let found = api.get(&format!("/v1/events?q={filter}")).await.body;
        assert_eq!(found["events"].as_array().unwrap().len(), expected, "{filter}");
    }
    let top = api.get("/v1/stats/top?by=ip&q=-class:admin").await.body;
    assert_eq!(top["values"][0]["value"], ip, "{top}");
}

async fn only_who_may_identify_learns_what_a_pseudonym_stands_for_and_says_why(database: &TestDatabase) {
    let (log, first) = (disguised(database, &['a']).await, requests(1));
    log.append(&first, &[], NOW).await.unwrap();
    let mut api = TestApi::on(log);
    let path = format!("/v1/events/{}/reveal", first[0].event.id);

    let refused = api
        .act(("POST", &path), "audit:read", None, &json!({"reason": "curious"}))
        .await;
    let revealed = ask(&api, &path, json!({"reason": "case 17"})).await;

    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.body["code"], "insufficient_scope");
    let originals = revealed.body["originals"].as_object().unwrap();
    let known: BTreeSet<_> = originals.values().map(|value| value.as_str().unwrap()).collect();
    assert_eq!(known, BTreeSet::from(["192.0.2.7", "alice"]));
    let told = api
        .recorded_event(|event| event.facts.action == action::ORIGINAL_REVEALED)
        .await;
    assert_eq!(
        (&told.facts.detail["reason"], &told.facts.detail["event"]),
        (&json!("case 17"), &json!(first[0].event.id))
    );
    let detail = json!(told.facts.detail).to_string();
    assert!(
        !detail.contains("alice") && !detail.contains("192.0.2"),
        "{detail}"
    );
    for pseudonym in originals.keys() {
        assert!(detail.contains(pseudonym), "{pseudonym} in {detail}");
    }
}

async fn what_cannot_be_revealed_is_told_apart(database: &TestDatabase) {
    let log = disguised(database, &['a']).await;
    let (first, second) = (requests(1), requests(1));
    log.append(&first, &[], NOW).await.unwrap();
    database.log().await.append(&second, &[], NOW).await.unwrap();
    let api = TestApi::on(log);
    let path = format!("/v1/events/{}/reveal", first[0].event.id);

    for (path, body, status, code) in [
        (path.clone(), json!({"reason": " "}), 400, "body_invalid"),
        (path.clone(), json!({}), 400, "body_invalid"),
        (
            format!("/v1/events/{}/reveal", second[0].event.id),
            json!({"reason": "x"}),
            409,
            "event_not_disguised",
        ),
        (
            "/v1/events/019bc000-0000-7000-8000-000000000000/reveal".to_owned(),
            json!({"reason": "x"}),
            404,
            "event_not_found",
        ),
        (
            "/v1/events/x/reveal".to_owned(),
            json!({"reason": "x"}),
            400,
            "parameter_invalid",
        ),
    ] {
        let answer = ask(&api, &path, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (status, &json!(code)),
            "{path}"
        );
    }
}

async fn who_may_identify_finds_somebody_by_pseudonym(database: &TestDatabase) {
    let log = disguised(database, &['a', 'b']).await;
    log.append(&requests(2), &[], NOW).await.unwrap();
    let mut api = TestApi::on(log);
    let wanted = json!({"names": ["ALICE"], "addresses": ["192.0.2.0/24", "192.0.2.7"], "reason": "case 17"});

    let found = ask(&api, "/v1/pseudonyms", wanted.clone()).await;

    let pseudonyms = &found.body["pseudonyms"];
    for (field, value) in [("user", "ALICE"), ("ip", "192.0.2.0/24"), ("ip", "192.0.2.7")] {
        let [current, former] = [0, 1].map(|key| pseudonyms[value][key].as_str().unwrap());
        for (pseudonym, expected) in [(current, 2), (former, 0)] {
            let answer = api.get(&format!("/v1/events?q={field}:{pseudonym}")).await.body;
            assert_eq!(
                answer["events"].as_array().unwrap().len(),
                expected,
                "{field}:{pseudonym}"
            );
        }
    }
    let told = api
        .recorded_event(|event| event.facts.action == action::PSEUDONYMS_FOUND)
        .await;
    let detail = json!(told.facts.detail).to_string();
    let by_name = pseudonyms["ALICE"][0].as_str().unwrap();
    assert_eq!(told.facts.detail["reason"], "case 17");
    assert!(
        told.facts.detail.contains_key("pseudonyms") && detail.contains(by_name),
        "{detail}"
    );
    assert!(
        !detail.contains("ALICE") && !detail.contains("192.0.2"),
        "{detail}"
    );
    for wrong in [
        json!({"reason": "nobody"}),
        json!({"names": vec!["x"; 51], "reason": "too many"}),
        json!({"names": [""], "reason": "x"}),
        json!({"addresses": ["alice"], "reason": "x"}),
        json!({"names": ["x"]}),
    ] {
        let answer = ask(&api, "/v1/pseudonyms", wrong.clone()).await;
        assert_eq!(answer.body["code"], "body_invalid", "{wrong}");
    }
    let without = TestApi::on(database.log().await);
    assert_eq!(
        ask(&without, "/v1/pseudonyms", wanted).await.body["code"],
        "pseudonyms_off"
    );
}

async fn what_comes_again_is_known_by_what_it_said(database: &TestDatabase) {
    let (before, log) = (requests(2), disguised(database, &['a']).await);
    database.log().await.append(&before, &[], NOW).await.unwrap();
    let after = requests(2);
    log.append(&after, &[], NOW).await.unwrap();
    let mut forged = (*after[0].event).clone();
    forged.facts.actor.username = Some("mallory".into());

    let all = [before, after].concat();
    let again = log.append(&all, &[], NOW).await.unwrap();
    let rotated = disguised(database, &['b', 'a'])
        .await
        .append(&all, &[], NOW)
        .await
        .unwrap();
    let other = log.append(&[arrival(forged.clone())], &[], NOW).await.unwrap();

    let known = Appended {
        duplicates: 4,
        ..Appended::default()
    };
    assert_eq!((&again, &rotated), (&known, &known));
    assert_eq!(other.conflicts, [forged.id]);
}

async fn another_key_knows_nothing_and_costs_nothing(database: &TestDatabase) {
    let batch = requests(1);
    disguised(database, &['a'])
        .await
        .append(&batch, &[], NOW)
        .await
        .unwrap();
    let other = disguised(database, &['b']).await;

    let again = other.append(&batch, &[], NOW).await.unwrap();

    // What may be another event is kept apart, whole.
    assert_eq!((again.stored, again.conflicts.len()), (0, 1));
    let kept = database.rows::<(Vec<u8>,)>("SELECT body FROM dead_letter").await;
    assert_eq!(kept[0].0, batch[0].body);
    let path = format!("/v1/events/{}/reveal", batch[0].event.id);
    let answer = ask(&TestApi::on(other), &path, json!({"reason": "x"})).await;
    assert_eq!(answer.body["code"], "original_closed");
}

/// Failures at one account, a journey that nobody makes, and a name that nobody should use, by a list of the operator's.
async fn rules_find_the_same_as_without_pseudonyms(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("lists.yaml"), "canary_users: [Canary]\n").unwrap();
    let pseudonyms = Some(pseudonyms(&['a', 'b']));
    let rules = |pseudonyms| {
        let folder = Some(folder.path().to_owned());
        DetectionSettings::load("http://gatelog.test", folder, pseudonyms)
            .unwrap()
            .rules
    };
    let log = database.log().await.with_places(Some(places()));
    let log = log.with_pseudonyms(pseudonyms.clone());
    let told = notifying(Vec::new(), Arc::new(SystemClock));
    let collector = Collector::on(log, rules(pseudonyms.clone()), told);
    let mut batch: Vec<_> = (0..10)
        .map(|second| failure(second, "bob", "192.0.2.9"))
        .collect();
    batch.push(failure(11, "canary", "192.0.2.9"));
    // From Seoul to New York in half an hour.
    batch.extend([sign_in(0, "192.0.2.7"), sign_in(1_800, "198.51.100.7")]);

    collector.log.append(&batch, &[], at(1_800)).await.unwrap();

    until_read(database, 13).await;
    let found = database
        .rows::<(String,)>("SELECT DISTINCT rule_id FROM alert")
        .await;
    let found: BTreeSet<_> = found.into_iter().map(|(rule,)| rule).collect();
    for rule in ["brute-force-account", "impossible-travel", "canary-used"] {
        assert!(found.contains(rule), "{rule} in {found:?}");
    }
    let span = Span {
        from: at(-3_600),
        until: at(86_400),
    };
    let again = replay(&collector.log, &rules(pseudonyms), span, at(86_400))
        .await
        .unwrap();
    let again: BTreeSet<_> = again
        .into_values()
        .map(|finding| finding.rule.id.to_string())
        .collect();
    assert_eq!(again, found);
    let groups = database.rows::<(String,)>("SELECT group_values FROM alert").await;
    for (group,) in groups {
        assert!(!group.contains("bob") && !group.contains("192.0.2"), "{group}");
    }
    // Rules that know nothing of pseudonyms do not find the name.
    let blind = replay(&collector.log, &rules(None), span, at(86_400))
        .await
        .unwrap();
    assert!(
        blind
            .into_values()
            .all(|finding| &*finding.rule.id != "canary-used")
    );
    collector.stop().await;
}

#[test]
fn settings_of_pseudonyms_that_cannot_work_are_told_without_the_keys() {
    let key = "0f".repeat(32);
    let read = |hidden: &str, keys: &str| {
        let given = [
            ("GATELOG_COLLECTOR_DATABASE_URL", "sqlite:audit.db"),
            (
                "GATELOG_COLLECTOR_BROKER_URL",
                "amqp://audit-collector:x@localhost",
            ),
            ("GATELOG_COLLECTOR_SPOOL_DIR", "spool"),
            (
                "GATELOG_COLLECTOR_SERVICE_TOKEN",
                "0123456789abcdef0123456789abcdef",
            ),
            ("GATELOG_COLLECTOR_PSEUDONYMISE", hidden),
            ("GATELOG_COLLECTOR_PSEUDONYM_KEYS", keys),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::read(Reader::new(PREFIX, "", given.into_iter()))
    };

    assert!(read("names,addresses", &key).unwrap().pseudonyms.is_some());
    assert!(read("", "").unwrap().pseudonyms.is_none());
    for (hidden, keys, expected) in [
        ("names", "", "openssl rand -hex 32"),
        ("emails", &*key, "`names` and `addresses`"),
        ("names", "0f0f", "64 hexadecimal digits"),
        ("names", &*vec![&*key; 17].join(","), "at most 16"),
    ] {
        let error = read(hidden, keys).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("0f0f"), "{error}");
    }
    let debug = format!("{:?}", pseudonyms(&['a']));
    assert!(!debug.contains("aaaa"), "{debug}");
}

#[tokio::test]
async fn an_event_of_which_nothing_is_hidden_stays_as_it_came() {
    let database = TestDatabase::sqlite();
    let mut facts = request_facts();
    facts.actor.username = None;
    facts.client = None;
    let batch = [arrival(event(at(0), facts))];

    disguised(&database, &['a'])
        .await
        .append(&batch, &[], NOW)
        .await
        .unwrap();

    let kept = database
        .rows::<(Vec<u8>, Option<Vec<u8>>)>("SELECT body, sealed FROM event")
        .await;
    assert_eq!(kept, [(batch[0].body.to_vec(), None)]);
}
