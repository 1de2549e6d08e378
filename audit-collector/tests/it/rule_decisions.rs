//! What people decide about rules beside their files: shadows and silences.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::event::{Event, action};

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, failure, notifying, until_read};
use crate::harness::events::at;
use crate::notifications::receivers;

on_both_databases!(
    a_rule_is_made_a_shadow_for_every_collector_and_told_again,
    a_rule_that_was_changed_meanwhile_is_not_changed,
    what_is_silenced_is_found_and_told_to_nobody_until_it_is_ended,
    an_attack_that_goes_on_after_a_silence_is_told_once_with_its_messages,
    what_was_silenced_and_is_only_judged_again_stays_so,
    a_silence_that_cannot_be_is_refused,
    there_are_two_hundred_silences,
);

const READ: &str = "audit:read";
const WRITE: &str = "rules:write";
const RULE: &str = "/v1/rules/brute-force-account";

async fn shadow(api: &TestApi, seen: Option<i64>, shadow: &Value) -> Answer {
    api.act(("PATCH", RULE), WRITE, seen, &json!({ "shadow": shadow }))
        .await
}

async fn silence(api: &TestApi, body: &Value) -> Answer {
    api.act(("POST", "/v1/silences"), WRITE, None, body).await
}

fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.body
    );
}

async fn recorded(api: &mut TestApi, action: &str) -> Event {
    api.recorded_event(|event| event.facts.action == action).await
}

/// Lets a password be guessed in ten seconds from `second` on.
async fn attack(collector: &Collector, user: &str, second: i64) {
    let batch: Vec<_> = (second..second + 10)
        .map(|second| failure(second, user, "192.0.2.1"))
        .collect();
    collector.log.append(&batch, &[], at(second + 10)).await.unwrap();
}

/// The user of the next alert that is told.
async fn next_user(collector: &mut Collector) -> String {
    let detail = collector.next_told().await.facts.detail;
    detail["group"]["actor.username"].as_str().unwrap().to_owned()
}

/// The alert of the rule about a user, told or not.
async fn alert(api: &TestApi, user: &str) -> Value {
    let all = api.get("/v1/alerts?all=true&rule=brute-force-account").await.body;
    let alerts = all["alerts"].as_array().unwrap();
    let of_user = alerts
        .iter()
        .find(|alert| alert["group"]["actor.username"] == user);
    of_user
        .unwrap_or_else(|| panic!("no alert about {user}: {all}"))
        .clone()
}

async fn a_rule_is_made_a_shadow_for_every_collector_and_told_again(database: &TestDatabase) {
    let mut api = TestApi::on(database.log().await);
    let mut collector = Collector::start_by(database, built_in(), api.clock.clone()).await;
    let before = api.get(RULE).await;
    assert_eq!(before.headers["etag"], "\"0\"");
    assert_eq!(
        (&before.body["status"], &before.body["shadow"]),
        (&json!("live"), &Value::Null)
    );

    let changed = shadow(&api, Some(0), &json!(true)).await;
    attack(&collector, "alice", 0).await;
    until_read(database, 10).await;

    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(changed.headers["etag"], "\"1\"");
    assert_eq!(changed.body["status"], "shadow");
    assert_eq!(changed.body["file_status"], "live");
    assert_eq!(changed.body["changed_by"], "usr_auditor");
    let told = recorded(&mut api, action::RULE_CHANGED).await.facts.detail;
    assert_eq!(told["rule"], "brute-force-account");
    assert_eq!(told["before"], json!({"shadow": null, "status": "live"}));
    assert_eq!(told["after"], json!({"shadow": true, "status": "shadow"}));
    assert_eq!(alert(&api, "alice").await["shadow"], true);
    let back = shadow(&api, Some(1), &Value::Null).await;
    assert_eq!(
        (&back.body["status"], &back.body["shadow"]),
        (&json!("live"), &Value::Null)
    );
    // It has not ended with the decision.
    attack(&collector, "alice", 10).await;
    attack(&collector, "bob", 20).await;
    assert_eq!(next_user(&mut collector).await, "alice");
    assert_eq!(next_user(&mut collector).await, "bob");
    assert_eq!(alert(&api, "alice").await["shadow"], false);
    collector.stop().await;
}

async fn a_rule_that_was_changed_meanwhile_is_not_changed(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);
    assert_eq!(shadow(&api, Some(0), &json!(true)).await.status, StatusCode::OK);

    let late = shadow(&api, Some(0), &json!(false)).await;

    refused(&late, StatusCode::PRECONDITION_FAILED, "precondition_failed");
    let blind = shadow(&api, None, &json!(false)).await;
    refused(&blind, StatusCode::PRECONDITION_REQUIRED, "precondition_required");
    for body in [
        json!({}),
        json!({"shadow": "yes"}),
        json!({"shadow": true, "severity": "low"}),
    ] {
        let answer = api.act(("PATCH", RULE), WRITE, Some(1), &body).await;
        refused(&answer, StatusCode::BAD_REQUEST, "body_invalid");
    }
    let decision = json!({"shadow": false});
    let unknown = api
        .act(("PATCH", "/v1/rules/no-such"), WRITE, Some(0), &decision)
        .await;
    refused(&unknown, StatusCode::NOT_FOUND, "rule_not_found");
    let reader = api.act(("PATCH", RULE), READ, Some(1), &decision).await;
    refused(&reader, StatusCode::FORBIDDEN, "insufficient_scope");
    assert_eq!(api.get(RULE).await.body["status"], "shadow");
}

async fn what_is_silenced_is_found_and_told_to_nobody_until_it_is_ended(database: &TestDatabase) {
    let mut api = TestApi::on(database.log().await);
    let mut collector = Collector::start_by(database, built_in(), api.clock.clone()).await;
    let made = silence(
        &api,
        &json!({"value": "alice", "reason": "she is testing", "seconds": 3600}),
    )
    .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();

    attack(&collector, "alice", 0).await;
    attack(&collector, "bob", 20).await;

    assert_eq!(next_user(&mut collector).await, "bob");
    assert_eq!(alert(&api, "alice").await["suppressed"], "she is testing");
    assert_eq!(
        recorded(&mut api, action::SILENCE_ADDED).await.facts.detail["after"]["value"],
        "alice"
    );
    let path = format!("/v1/silences/{id}");
    let ended = api.act(("DELETE", &path), WRITE, None, &Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(
        recorded(&mut api, action::SILENCE_ENDED).await.facts.detail["before"]["id"],
        *id
    );
    let again = api.act(("DELETE", &path), WRITE, None, &Value::Null).await;
    refused(&again, StatusCode::NOT_FOUND, "silence_not_found");
    let listed = api.get("/v1/silences").await.body;
    assert_eq!(listed["silences"][0]["ended_by"], "usr_auditor", "{listed}");
    // A day later it is another alert.
    attack(&collector, "alice", 90_000).await;
    assert_eq!(next_user(&mut collector).await, "alice");
    collector.stop().await;
}

/// Silences the user before, and has the silence end after its attack.
async fn attacked_in_silence(api: &TestApi, collector: &Collector, database: &TestDatabase, user: &str) {
    let body = json!({"value": user, "reason": "she is testing", "seconds": 3600});
    let made = silence(api, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    attack(collector, user, 0).await;
    until_read(database, 10).await;
    let path = format!("/v1/silences/{}", made.body["id"].as_str().unwrap());
    let ended = api.act(("DELETE", &path), WRITE, None, &Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
}

async fn an_attack_that_goes_on_after_a_silence_is_told_once_with_its_messages(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);
    let told = "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\nonly = { rules = ['brute-force-account'] }\n";
    let making = notifying(receivers("http://siem.test/hook", told), api.clock.clone());
    let mut collector = Collector::with(database, built_in(), making).await;
    attacked_in_silence(&api, &collector, database, "alice").await;
    let silent = alert(&api, "alice").await;
    assert_eq!(silent["suppressed"], "she is testing");
    api.clock.advance(Duration::from_secs(1));

    attack(&collector, "alice", 10).await;

    let event = collector.next_told().await;
    assert_eq!(event.facts.detail["fingerprint"], silent["fingerprint"]);
    let shown = alert(&api, "alice").await;
    assert_eq!(shown["suppressed"], Value::Null);
    assert_eq!(shown["raised_at"], event.time.to_string());
    assert!(
        shown["raised_at"].as_str() > silent["raised_at"].as_str(),
        "{shown}"
    );
    let listed = api.get("/v1/alerts?rule=brute-force-account").await.body;
    assert_eq!(listed["alerts"], json!([shown]));
    // However it grows, it is told no more.
    api.clock.advance(Duration::from_secs(1));
    attack(&collector, "alice", 20).await;
    attack(&collector, "bob", 30).await;
    assert_eq!(next_user(&mut collector).await, "bob");
    assert_eq!(alert(&api, "alice").await["raised_at"], shown["raised_at"]);
    let messages = api.get("/v1/notifications").await.body;
    let mut alerts: Vec<_> = messages["notifications"].as_array().unwrap().iter().collect();
    alerts.retain(|message| message["alert"] == silent["fingerprint"]);
    assert_eq!(
        (alerts.len(), &alerts[0]["kind"]),
        (1, &json!("raised")),
        "{messages}"
    );
    collector.stop().await;
}

async fn what_was_silenced_and_is_only_judged_again_stays_so(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);
    let mut collector = Collector::start_by(database, built_in(), api.clock.clone()).await;
    attacked_in_silence(&api, &collector, database, "alice").await;

    // Somebody else's failures of that time come an hour later, and all of it is judged again.
    let late: Vec<_> = (0..10)
        .map(|second| failure(second, "bob", "192.0.2.9"))
        .collect();
    let later = failure(3_600, "carol", "192.0.2.1");
    collector.log.append(&[later], &[], at(3_600)).await.unwrap();
    collector.log.append(&late, &[], at(3_601)).await.unwrap();

    assert_eq!(next_user(&mut collector).await, "bob");
    until_read(database, 21).await;
    assert_eq!(alert(&api, "alice").await["suppressed"], "she is testing");
    collector.stop().await;
}

async fn a_silence_that_cannot_be_is_refused(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);
    let good = json!({"rule": "log-gap", "reason": "a test", "seconds": 60});
    for (body, parameter) in [
        (json!({"reason": "a", "seconds": 60}), "rule"),
        (json!({"rule": "no-such", "reason": "a", "seconds": 60}), "rule"),
        (json!({"value": "a", "reason": " ", "seconds": 60}), "reason"),
        (
            json!({"value": "a", "reason": "a", "seconds": 9_999_999}),
            "seconds",
        ),
    ] {
        let answer = silence(&api, &body).await;
        refused(&answer, StatusCode::BAD_REQUEST, "parameter_invalid");
        assert_eq!(answer.body["parameter"], parameter, "{body}");
    }
    let reader = api.act(("POST", "/v1/silences"), READ, None, &good).await;
    refused(&reader, StatusCode::FORBIDDEN, "insufficient_scope");

    assert_eq!(api.get("/v1/silences").await.body["silences"], json!([]));
}

async fn there_are_two_hundred_silences(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);
    let good = json!({"rule": "log-gap", "reason": "a test", "seconds": 60});
    for _ in 0..200 {
        assert_eq!(silence(&api, &good).await.status, StatusCode::CREATED);
    }

    refused(
        &silence(&api, &good).await,
        StatusCode::CONFLICT,
        "too_many_silences",
    );

    // One that is ended makes room.
    let listed = api.get("/v1/silences").await.body;
    let path = format!("/v1/silences/{}", listed["silences"][0]["id"].as_str().unwrap());
    let ended = api.act(("DELETE", &path), WRITE, None, &Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(silence(&api, &good).await.status, StatusCode::CREATED);
}
