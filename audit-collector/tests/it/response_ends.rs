//! How responses end, what proves them, and how many people may order.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::event::{Class, Facts, Outcome, action};
use tempfile::TempDir;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::detecting::Collector;
use crate::harness::events::{arrival, at, event, event_of, request_facts};
use crate::harness::eventually;
use crate::responses::{Responses, fresh_failure, order, ordering, refusal, refused, with_alert};

on_both_databases!(
    an_order_ends_in_time_however_many_newer_ones_are_unproved,
    every_order_has_its_turn_to_be_proved,
    an_account_that_two_orders_lock_is_enabled_when_the_last_one_ends,
    an_account_that_somebody_else_has_disabled_stays_so_when_the_lock_ends,
    a_lock_does_not_end_while_it_is_unknown_whether_another_one_was_carried_out,
    a_refusal_for_another_reason_is_no_proof,
    what_is_ended_at_auth_service_is_not_in_force,
    what_a_rule_orders_wakes_who_carries_it_out,
    people_order_so_many_in_an_hour_and_may_look_as_often_as_they_like,
);

async fn until_in_force(database: &TestDatabase, count: i64) {
    let query = "SELECT COUNT(*) FROM response WHERE state = 'in_force'";
    eventually("they are in force", || async {
        (database.number(query).await == count).then_some(())
    })
    .await;
}

/// The state and the problem of each order, the oldest first, once `is_so`. Read from the database: an hour later the API has no fresh revocations.
async fn until(database: &TestDatabase, what: &str, is_so: impl Fn(&[(&str, Option<&str>)]) -> bool) {
    eventually(what, || async {
        let select = "SELECT state, problem FROM response ORDER BY ordered_at, id";
        let rows: Vec<(String, Option<String>)> = database.rows(select).await;
        let rows: Vec<_> = rows
            .iter()
            .map(|(state, problem)| (state.as_str(), problem.as_deref()))
            .collect();
        is_so(&rows).then_some(())
    })
    .await;
}

/// An order that ends in a minute, and more newer ones than are looked at in one step.
async fn behind_newer_ones(database: &TestDatabase, (responses, api): (&Responses, &TestApi), path: &str) {
    responses
        .auth
        .answers(StatusCode::CREATED, json!({"id": "blk_old"}));
    let first = json!({"action": "block_address", "value": "192.0.2.9", "seconds": 60, "reason": "x"});
    order(api, path, first).await;
    until_in_force(database, 1).await;
    responses
        .auth
        .answers(StatusCode::CREATED, json!({"id": "blk_new"}));
    api.clock.advance(Duration::from_secs(1));
    for user in 0..25 {
        let body = json!({"action": "block_subject", "value": format!("usr_{user}"), "reason": "x"});
        order(api, path, body).await;
    }
    until_in_force(database, 26).await;
}

async fn an_order_ends_in_time_however_many_newer_ones_are_unproved(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    behind_newer_ones(database, (&responses, &api), &path).await;

    api.clock.advance(Duration::from_mins(1));

    until(database, "it is over", |all| all[0] == ("expired", None)).await;
    responses.stop().await;
    collector.stop().await;
}

async fn every_order_has_its_turn_to_be_proved(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    behind_newer_ones(database, (&responses, &api), &path).await;

    let proof = refused(Some("blk_old"));
    collector.log.append(&[proof], &[], at(31)).await.unwrap();

    let effective = responses.next_told(action::RESPONSE_EFFECTIVE).await;
    assert_eq!(effective.facts.detail["value"], "192.0.2.9");
    responses.stop().await;
    collector.stop().await;
}

fn lock(seconds: u64) -> Value {
    json!({"action": "lock_account", "value": "usr_1", "seconds": seconds, "reason": "x"})
}

/// What was said of the user: disabled or not, in that order.
fn said(responses: &Responses) -> Vec<bool> {
    let asked = responses.auth.asked();
    asked
        .iter()
        .filter_map(|(_, body)| body["disabled"].as_bool())
        .collect()
}

async fn responses_of(api: &TestApi, path: &str) -> Vec<Value> {
    let alert = api.get(path).await.body;
    alert["responses"].as_array().unwrap().clone()
}

async fn an_account_that_two_orders_lock_is_enabled_when_the_last_one_ends(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    for seconds in [60, 3600] {
        order(&api, &path, lock(seconds)).await;
        api.clock.advance(Duration::from_millis(1));
    }
    until_in_force(database, 2).await;

    api.clock.advance(Duration::from_mins(1));
    until(database, "the first one is over", |all| {
        all == [("expired", Some("still_locked")), ("in_force", None)]
    })
    .await;
    assert_eq!(said(&responses), [true, true]);

    api.clock.advance(Duration::from_hours(1));
    until(database, "the other one is over", |all| {
        all[1] == ("expired", None)
    })
    .await;
    assert_eq!(said(&responses), [true, true, false]);
    responses.stop().await;
    collector.stop().await;
}

async fn an_account_that_somebody_else_has_disabled_stays_so_when_the_lock_ends(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    order(&api, &path, lock(60)).await;
    until_in_force(database, 1).await;
    responses
        .auth
        .answers_of_users(StatusCode::CONFLICT, json!({"code": "disabled_by_another"}));

    api.clock.advance(Duration::from_mins(1));
    until(database, "it is over", |all| {
        all == [("expired", Some("still_disabled"))]
    })
    .await;
    for after in ["in_force", "lifting", "expired"] {
        let told = responses.next_told(action::RESPONSE_CARRIED_OUT).await;
        assert_eq!(
            (told.facts.outcome, &told.facts.detail["after"]),
            (Outcome::Success, &json!(after))
        );
    }
    responses.stop().await;
    collector.stop().await;
}

async fn a_lock_does_not_end_while_it_is_unknown_whether_another_one_was_carried_out(
    database: &TestDatabase,
) {
    let (collector, api, path) = with_alert(database).await;
    let responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    order(&api, &path, lock(60)).await;
    until_in_force(database, 1).await;
    responses
        .auth
        .answers_of_users(StatusCode::SERVICE_UNAVAILABLE, json!({}));
    api.clock.advance(Duration::from_millis(1));
    order(&api, &path, lock(3600)).await;
    let until_tried = async |state: &str| {
        let query = format!("SELECT COUNT(*) FROM response WHERE state = '{state}' AND attempts > 0");
        eventually(state, || async {
            (database.number(&query).await == 1).then_some(())
        })
        .await;
    };
    until_tried("pending").await;

    api.clock.advance(Duration::from_mins(1));
    until_tried("lifting").await;
    responses.auth.answers_of_users(StatusCode::OK, json!({}));
    until(database, "the first one is over", |all| {
        api.clock.advance(Duration::from_secs(1));
        all == [("expired", Some("still_locked")), ("in_force", None)]
    })
    .await;
    assert!(said(&responses).iter().all(|disabled| *disabled));
    responses.stop().await;
    collector.stop().await;
}

async fn a_refusal_for_another_reason_is_no_proof(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    // auth-service has ended the session before, so that it tells no name.
    let end = json!({"action": "revoke_session", "value": "ses_1", "reason": "x"});
    for body in [lock(3600), end] {
        order(&api, &path, body).await;
        api.clock.advance(Duration::from_millis(1));
    }
    until_in_force(database, 2).await;
    let all = responses_of(&api, &path).await;
    assert_eq!(
        (&all[0]["decision"], &all[1]["decision"]),
        (&json!("dis_1"), &Value::Null)
    );

    // Its roles were changed, or it is to sign in again, and then it is locked.
    let refused_by = |(second, sub, sid, decision): (i64, &str, &str, &str)| {
        let mut facts = request_facts().with_detail("decision", decision);
        facts.outcome = Outcome::Denied;
        (facts.actor.sub, facts.actor.sid) = (Some(sub.into()), Some(sid.into()));
        arrival(event(at(second), facts))
    };
    let batch = [
        (30, "usr_1", "ses_2", "enf_7"),
        (31, "usr_1", "ses_2", "blk_3"),
        (32, "usr_2", "ses_1", "blk_4"),
        (33, "usr_1", "ses_2", "dis_1"),
        (34, "usr_2", "ses_1", "enf_8"),
    ]
    .map(refused_by);
    collector.log.append(&batch, &[], at(40)).await.unwrap();

    for _ in 0..2 {
        let effective = responses.next_told(action::RESPONSE_EFFECTIVE).await;
        let is_lock = effective.facts.detail["order"] == "lock_account";
        let proof = &batch[if is_lock { 3 } else { 4 }];
        assert_eq!(effective.facts.detail["refusal"], proof.event.id.to_string());
    }
    responses.stop().await;
    collector.stop().await;
}

async fn what_is_ended_at_auth_service_is_not_in_force(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    order(
        &api,
        &path,
        json!({"action": "block_subject", "value": "usr_2", "reason": "x"}),
    )
    .await;
    order(&api, &path, lock(3600)).await;
    until_in_force(database, 2).await;
    let asked = responses.auth.asked().len();

    for (service, name) in [("orders", "mallory"), ("auth-service", "root")] {
        let by = |facts: Facts| {
            let mut facts = facts;
            facts.actor.username = Some(name.into());
            arrival(event_of(service, at(40), facts))
        };
        let told = |action| Facts::new(Class::Admin, action, Outcome::Success);
        let batch = [
            by(told(action::BLOCK_LIFTED).with_detail("block_id", "blk_1")),
            by(told(action::USER_ENABLED).with_detail("before", json!({"decision": "dis_1"}))),
        ];
        collector.log.append(&batch, &[], at(41)).await.unwrap();
    }

    let lifted = eventually("both are lifted", || async {
        let all = responses_of(&api, &path).await;
        all.iter().all(|one| one["state"] == "lifted").then_some(all)
    })
    .await;
    for one in lifted {
        assert_eq!(
            (&one["ended_by"], &one["problem"]),
            (&json!("root"), &json!("lifted_elsewhere"))
        );
    }
    // What is lifted is not lifted again.
    assert_eq!(responses.auth.asked().len(), asked);
    responses.stop().await;
    collector.stop().await;
}

async fn what_a_rule_orders_wakes_who_carries_it_out(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let collector = Collector::start(database, ordering(&folder)).await;
    let now = SystemClock.now();

    let attack: Vec<_> = (0..12).map(|_| fresh_failure(now, "192.0.2.1")).collect();
    collector.log.append(&attack, &[], now).await.unwrap();

    let woken = tokio::time::timeout(Duration::from_secs(30), collector.ordered.notified());
    woken.await.expect("nobody was woken");
    assert_eq!(database.number("SELECT COUNT(*) FROM response").await, 1);
    collector.stop().await;
}

async fn people_order_so_many_in_an_hour_and_may_look_as_often_as_they_like(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let block = |user: usize, dry_run: bool| {
        let value = format!("usr_{user}");
        json!({"action": "block_subject", "value": value, "reason": "x", "dry_run": dry_run})
    };
    for user in 0..200 {
        let ordered = order(&api, &path, block(user, false)).await;
        assert_eq!(ordered.status, StatusCode::ACCEPTED, "{}", ordered.body);
    }

    api.clock.advance(Duration::from_secs(2));
    let one_more = order(&api, &path, block(200, false)).await;

    assert_eq!(refusal(&one_more), (429, "response_limit"));
    assert_eq!(one_more.headers["retry-after"], "3599");
    let look = order(&api, &path, block(200, true)).await;
    assert_eq!(look.status, StatusCode::OK, "{}", look.body);
    collector.stop().await;
}
