//! What is told of failures when there are many: whoever makes many hides none of them by it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use crate::client_harness::{TestClient, add_machine, ask};
use crate::databases::on_both_databases;
use crate::harness::{Harness, json_request};

async fn guess(harness: &Harness, peer: [u8; 4], username: &str) {
    let body = json!({"username": username, "password": "a wrong password, long"});
    let answer = harness.send_from(peer, json_request("/v1/login", &body)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{username}");
}

fn told<'e>(events: &'e [Value], pointer: &str, value: &str) -> Vec<&'e Value> {
    let is_theirs = |event: &&Value| event.pointer(pointer).is_some_and(|found| found == value);
    events.iter().filter(is_theirs).collect()
}

async fn a_sign_in_that_fails_is_told_with_its_name_and_address_however_many_failed_before(
    harness: Arc<Harness>,
) {
    harness.set_up().await;
    for number in 0..30 {
        guess(&harness, [192, 0, 2, 1], &format!("junk-{number}")).await;
    }

    for _ in 0..5 {
        guess(&harness, [192, 0, 2, 2], "root").await;
    }
    guess(&harness, [192, 0, 2, 3], "canary").await;

    let failed = harness.events_of("authn_login_fail").await;
    assert_eq!(failed.len(), 36);
    for (name, address, count) in [("root", "192.0.2.2", 5), ("canary", "192.0.2.3", 1)] {
        let told = told(&failed, "/actor/username", name);
        assert_eq!(told.len(), count, "{name}");
        assert!(
            told.iter().all(|event| event["client"]["ip"] == address),
            "{name}"
        );
    }
}

async fn a_client_that_is_not_believed_is_named_although_others_fail_from_its_network(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let machine = add_machine(&harness, &admin, &json!({})).await;
    let wrong = |id: &str| TestClient {
        id: id.to_owned(),
        secret: "x".to_owned(),
    };
    for _ in 0..30 {
        ask(&harness, &wrong("cli_junk"), &[]).await;
    }

    for id in ["cli_canary", &machine.id] {
        ask(&harness, &wrong(id), &[]).await;

        let failed = harness.events_of("authn_client_fail").await;
        assert_eq!(told(&failed, "/actor/client_id", id).len(), 1, "{id}");
    }
    let failed = harness.events_of("authn_client_fail").await;
    assert_eq!(told(&failed, "/actor/client_id", "cli_junk").len(), 20);
}

on_both_databases!(
    a_sign_in_that_fails_is_told_with_its_name_and_address_however_many_failed_before,
    a_client_that_is_not_believed_is_named_although_others_fail_from_its_network,
);
