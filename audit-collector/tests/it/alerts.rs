//! What people do with alerts: take them on, judge them, note what they saw; each act an event.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::event::action;

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, failure, until_read};
use crate::harness::events::at;

on_both_databases!(
    an_alert_is_taken_on_judged_and_counts_for_its_rule,
    what_somebody_else_changed_meanwhile_is_not_overwritten,
    changes_that_make_no_sense_change_nothing,
    a_closed_alert_that_grows_keeps_its_verdict,
    notes_are_added_with_author_and_time,
    alerts_are_found_by_who_looks_after_them,
    the_queue_begins_with_the_most_severe_page_by_page,
);

const RESPOND: &str = "audit:respond";

/// A collector that found an attack on each of these users, and its API.
async fn with_alerts(database: &TestDatabase, users: &[&str]) -> (Collector, TestApi, Vec<String>) {
    let collector = Collector::start(database, built_in()).await;
    for user in users {
        let batch: Vec<_> = (0..10).map(|second| failure(second, user, "192.0.2.1")).collect();
        collector.log.append(&batch, &[], at(10)).await.unwrap();
    }
    until_read(database, i64::try_from(users.len() * 10).unwrap()).await;
    let api = TestApi::on(collector.log.clone());
    let mut paths = Vec::new();
    for user in users {
        let listed = api.get("/v1/alerts?rule=brute-force-account").await.body;
        let alerts = listed["alerts"].as_array().unwrap().clone();
        let of_user = alerts
            .iter()
            .find(|alert| alert["group"]["actor.username"] == *user);
        let fingerprint = of_user.unwrap()["fingerprint"].as_str().unwrap();
        paths.push(format!("/v1/alerts/{fingerprint}"));
    }
    (collector, api, paths)
}

async fn patch(api: &TestApi, path: &str, revision: i64, body: Value) -> Answer {
    api.act(("PATCH", path), RESPOND, Some(revision), &body).await
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (
        answer.status.as_u16(),
        answer.body["code"].as_str().unwrap_or_default(),
    )
}

async fn an_alert_is_taken_on_judged_and_counts_for_its_rule(database: &TestDatabase) {
    let (collector, mut api, paths) = with_alerts(database, &["alice", "bob", "carol"]).await;

    let taken = patch(
        &api,
        &paths[0],
        0,
        json!({"status": "acknowledged", "assignee": "auditor"}),
    )
    .await;

    assert_eq!(taken.status, StatusCode::OK, "{}", taken.body);
    assert_eq!(taken.headers["etag"], "\"1\"");
    assert_eq!(
        (&taken.body["status"], &taken.body["assignee"]),
        (&json!("acknowledged"), &json!("auditor"))
    );
    let told = api
        .recorded_event(|event| event.facts.action == action::ALERT_CHANGED)
        .await;
    let open = json!({"status": "open", "verdict": null, "assignee": null});
    assert_eq!(told.facts.detail["before"], open);
    assert_eq!(told.facts.detail["after"]["status"], "acknowledged");
    assert_eq!(told.facts.actor.username.as_deref(), Some("auditor"));

    for (path, revision, verdict) in [
        (&paths[0], 1, "true"),
        (&paths[1], 0, "false"),
        (&paths[2], 0, "benign"),
    ] {
        api.clock.advance(Duration::from_millis(1));
        let closed = patch(
            &api,
            path,
            revision,
            json!({"status": "closed", "verdict": verdict}),
        )
        .await;
        assert_eq!(closed.body["verdict"], verdict);
    }
    let firings = api.get("/v1/rules/brute-force-account").await.body["firings"].clone();
    let expected = json!({"alerts": 3, "true": 1, "false": 1, "benign": 1, "precision": 0.5});
    assert_eq!(firings, expected);
    let other = api.get("/v1/rules/log-gap").await.body;
    assert_eq!(other["firings"]["precision"], Value::Null);

    let case = api.get(&paths[0]).await;
    assert_eq!(case.headers["etag"], "\"2\"");
    let history = case.body["history"].as_array().unwrap();
    let steps: Vec<_> = history.iter().map(|act| &act["after"]["status"]).collect();
    assert_eq!(steps, ["acknowledged", "closed"]);
    assert_eq!(history[1]["author"], "auditor");
    collector.stop().await;
}

async fn what_somebody_else_changed_meanwhile_is_not_overwritten(database: &TestDatabase) {
    let (collector, api, paths) = with_alerts(database, &["alice"]).await;
    let path = &paths[0];
    let change = json!({"assignee": "bob"});

    let blindly = api.act(("PATCH", path), RESPOND, None, &change).await;
    assert_eq!(refusal(&blindly), (428, "precondition_required"));
    assert_eq!(
        patch(&api, path, 0, json!({"assignee": "alice"})).await.status,
        StatusCode::OK
    );
    let late = patch(&api, path, 0, change.clone()).await;
    assert_eq!(refusal(&late), (412, "precondition_failed"));

    let at_once = (0..4).map(|_| patch(&api, path, 1, json!({"status": "acknowledged"})));
    let answers = futures_util::future::join_all(at_once).await;
    let won = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!(won, 1);
    let case = api.get(path).await.body;
    assert_eq!(
        (&case["assignee"], &case["revision"]),
        (&json!("alice"), &json!(2))
    );
    assert_eq!(case["history"].as_array().unwrap().len(), 2);
    collector.stop().await;
}

async fn changes_that_make_no_sense_change_nothing(database: &TestDatabase) {
    let (collector, api, paths) = with_alerts(database, &["alice"]).await;
    let path = &paths[0];

    for (body, refused) in [
        (json!({}), (400, "body_invalid")),
        (json!({"status": "closed"}), (400, "body_invalid")),
        (json!({"verdict": "true"}), (400, "body_invalid")),
        (json!({"status": "gone"}), (400, "body_invalid")),
        (json!({"state": "closed"}), (400, "body_invalid")),
        (json!({"assignee": "x".repeat(129)}), (400, "body_invalid")),
        (json!({"assignee": "x".repeat(20_000)}), (413, "body_too_large")),
    ] {
        let answer = patch(&api, path, 0, body.clone()).await;
        assert_eq!(refusal(&answer), refused, "{body}");
    }
    let reader = api
        .act(("PATCH", path), "audit:read", Some(0), &json!({"assignee": "x"}))
        .await;
    assert_eq!(refusal(&reader), (403, "insufficient_scope"));
    let nowhere = format!("/v1/alerts/{}", "0".repeat(32));
    let answer = patch(&api, &nowhere, 0, json!({"assignee": "x"})).await;
    assert_eq!(refusal(&answer), (404, "alert_not_found"));
    let unchanged = patch(&api, path, 0, json!({"status": "open"})).await;
    assert_eq!(unchanged.status, StatusCode::OK);

    let case = api.get(path).await.body;
    assert_eq!((&case["status"], &case["revision"]), (&json!("open"), &json!(0)));
    let acts = database.number("SELECT COUNT(*) FROM alert_act").await;
    assert_eq!(acts, 0);

    patch(&api, path, 0, json!({"status": "closed", "verdict": "true"})).await;
    let answer = patch(&api, path, 1, json!({"status": "acknowledged"})).await;
    assert_eq!(refusal(&answer), (409, "alert_closed"));
    let opened = patch(&api, path, 1, json!({"status": "open"})).await;
    assert_eq!(opened.body["verdict"], Value::Null);
    collector.stop().await;
}

async fn a_closed_alert_that_grows_keeps_its_verdict(database: &TestDatabase) {
    let (collector, api, paths) = with_alerts(database, &["alice"]).await;
    patch(
        &api,
        &paths[0],
        0,
        json!({"status": "closed", "verdict": "benign"}),
    )
    .await;

    let more: Vec<_> = (10..20)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&more, &[], at(20)).await.unwrap();
    until_read(database, 20).await;

    let case = api.get(&paths[0]).await.body;
    assert_eq!(case["value"], 20.0);
    assert_eq!(
        (&case["status"], &case["verdict"], &case["revision"]),
        (&json!("closed"), &json!("benign"), &json!(1))
    );
    collector.stop().await;
}

async fn notes_are_added_with_author_and_time(database: &TestDatabase) {
    let (collector, mut api, paths) = with_alerts(database, &["alice"]).await;
    let path = format!("{}/notes", paths[0]);
    let add = |body: Value| {
        let (api, path) = (&api, path.as_str());
        async move { api.act(("POST", path), RESPOND, None, &body).await }
    };

    for text in ["asked alice", "it was her script"] {
        api.clock.advance(Duration::from_millis(1));
        let added = add(json!({"text": text})).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        assert_eq!(
            (&added.body["author"], &added.body["text"]),
            (&json!("auditor"), &json!(text))
        );
    }
    for body in [
        json!({"text": " "}),
        json!({"text": "x".repeat(4097)}),
        json!({"text": "a\0b"}),
        json!({"note": "x"}),
    ] {
        assert_eq!(refusal(&add(body.clone()).await), (400, "body_invalid"), "{body}");
    }

    let case = api.get(&paths[0]).await.body;
    let texts: Vec<_> = case["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| &note["text"])
        .collect();
    assert_eq!(texts, ["asked alice", "it was her script"]);
    // A note changes nothing that somebody else may be changing.
    assert_eq!(case["revision"], 0);
    let told = api
        .recorded_event(|event| event.facts.action == action::ALERT_NOTED)
        .await;
    assert_eq!(told.facts.detail["before"], json!({"notes": 0}));
    assert!(!json!(told.facts.detail).to_string().contains("asked alice"));
    collector.stop().await;
}

async fn alerts_are_found_by_who_looks_after_them(database: &TestDatabase) {
    let (collector, api, paths) = with_alerts(database, &["alice", "bob"]).await;
    patch(
        &api,
        &paths[0],
        0,
        json!({"status": "acknowledged", "assignee": "zoë"}),
    )
    .await;

    for (query, users) in [
        ("assignee=zo%C3%AB", ["alice"].as_slice()),
        ("assignee=", &["bob"]),
        ("assignee=nobody", &[]),
        ("assignee=no%00body", &[]),
        (
            "status=acknowledged&assignee=zo%C3%AB&severity=medium",
            &["alice"],
        ),
        ("status=open&rule=brute-force-account", &["bob"]),
    ] {
        let page = api.get(&format!("/v1/alerts?{query}")).await.body;
        let alerts = page["alerts"].as_array().unwrap();
        let found: Vec<_> = alerts
            .iter()
            .filter(|alert| alert["rule"] == "brute-force-account")
            .filter_map(|alert| alert["group"]["actor.username"].as_str())
            .collect();
        assert_eq!(found, users, "{query}");
    }
    collector.stop().await;
}

async fn the_queue_begins_with_the_most_severe_page_by_page(database: &TestDatabase) {
    let users = ["alice", "bob", "carol", "dave", "erin"];
    let (collector, api, paths) = with_alerts(database, &users).await;
    let severities = ["low", "critical", "info", "high", "critical"];
    for ((path, severity), second) in paths.iter().zip(severities).zip(0..) {
        let raised = at(second).as_micros();
        let fingerprint = path.rsplit_once('/').unwrap().1;
        let is_it = if database.is_server() {
            format!("encode(fingerprint, 'hex') = '{fingerprint}'")
        } else {
            format!("lower(hex(fingerprint)) = '{fingerprint}'")
        };
        let update = format!("UPDATE alert SET severity = '{severity}', raised_at = {raised} WHERE {is_it}");
        database.change(&update).await;
    }

    let mut found = Vec::new();
    let mut query = "order=severity&limit=2&rule=brute-force-account".to_owned();
    let mut cursor = String::new();
    for _ in 0..users.len() {
        let page = api.get(&format!("/v1/alerts?{query}{cursor}")).await.body;
        for alert in page["alerts"].as_array().unwrap() {
            found.push(alert["group"]["actor.username"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }

    // Both critical ones, the last raised first; then down to what is only good to know.
    assert_eq!(found, ["erin", "bob", "dave", "alice", "carol"]);
    query = "order=time&rule=brute-force-account".to_owned();
    let other = api.get(&format!("/v1/alerts?{query}{cursor}")).await;
    assert_eq!(refusal(&other).0, 400, "{}", other.body);
    collector.stop().await;
}
