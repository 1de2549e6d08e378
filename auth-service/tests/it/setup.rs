//! The first administrator.

use std::sync::Arc;
use std::time::Duration;

use auth_service::new_setup_token;
use http::StatusCode;
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD};

fn body(token: &str, username: &str) -> Value {
    json!({"token": token, "username": username, "password": PASSWORD})
}

async fn the_first_administrator_is_made_once(harness: Arc<Harness>) {
    let token = harness.setup_token().await;

    let made = harness.post("/v1/setup", &body(&token, "Root")).await;
    let again = harness.post("/v1/setup", &body(&token, "other")).await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["username"], "Root");
    assert!(made.text_of("id").starts_with("usr_"));
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "setup_done")
    );
    assert_eq!(new_setup_token(&harness.settings).await.unwrap(), None);
    let scope = harness.log_in("root").await.text_of("scope");
    assert_eq!(scope, "admin audit:read audit:export audit:respond rules:write");
}

async fn a_setup_token_is_good_for_fifteen_minutes(harness: Arc<Harness>) {
    let token = harness.setup_token().await;

    harness.wait(Duration::from_mins(15));
    let late = harness.post("/v1/setup", &body(&token, "root")).await;
    let token = harness.setup_token().await;
    harness.wait(Duration::from_secs(15 * 60 - 1));
    let in_time = harness.post("/v1/setup", &body(&token, "root")).await;

    assert_eq!(
        (late.status, late.code().as_str()),
        (StatusCode::FORBIDDEN, "one_time_token_refused")
    );
    assert_eq!(in_time.status, StatusCode::CREATED);
    let failed = harness.events_of("authn_one_time_token_fail").await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["detail"]["purpose"], "setup");
}

async fn a_fresh_setup_token_voids_the_one_before(harness: Arc<Harness>) {
    let first = harness.setup_token().await;
    let second = harness.setup_token().await;

    assert_eq!(
        harness.post("/v1/setup", &body(&first, "root")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        harness.post("/v1/setup", &body(&second, "root")).await.status,
        StatusCode::CREATED
    );
}

async fn a_refused_password_does_not_use_the_token_up(harness: Arc<Harness>) {
    let token = harness.setup_token().await;
    let weak = json!({"token": token, "username": "root", "password": "fourteen chars"});

    let refused = harness.post("/v1/setup", &weak).await;

    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::BAD_REQUEST, "password_refused")
    );
    assert_eq!(
        harness.post("/v1/setup", &body(&token, "root")).await.status,
        StatusCode::CREATED
    );
}

async fn of_many_who_set_up_at_once_one_succeeds(harness: Arc<Harness>) {
    let token = harness.setup_token().await;

    let names = ["one", "two", "three", "four"];
    let tries = names.map(|name| {
        let (harness, token) = (Arc::clone(&harness), token.clone());
        tokio::spawn(async move { harness.post("/v1/setup", &body(&token, name)).await.status })
    });
    let mut made = 0;
    for tried in tries {
        made += usize::from(tried.await.unwrap() == StatusCode::CREATED);
    }

    assert_eq!(made, 1);
    assert_eq!(harness.number("SELECT COUNT(*) FROM users").await, 1);
}

async fn only_the_hash_of_a_setup_token_is_kept(harness: Arc<Harness>) {
    harness.setup_token().await;

    let hashes = "SELECT COUNT(*) FROM one_time_tokens WHERE length(token_hash) = 32";
    assert_eq!(harness.number(hashes).await, 1);
}

async fn tokens_that_have_expired_are_deleted_and_others_stay(harness: Arc<Harness>) {
    harness.setup_token().await;
    let count = "SELECT COUNT(*) FROM one_time_tokens";

    harness.service.upkeep().await;
    assert_eq!(harness.number(count).await, 1);
    harness.wait(Duration::from_mins(15));
    harness.service.upkeep().await;

    assert_eq!(harness.number(count).await, 0);
}

on_both_databases!(
    tokens_that_have_expired_are_deleted_and_others_stay,
    the_first_administrator_is_made_once,
    a_setup_token_is_good_for_fifteen_minutes,
    a_fresh_setup_token_voids_the_one_before,
    a_refused_password_does_not_use_the_token_up,
    of_many_who_set_up_at_once_one_succeeds,
    only_the_hash_of_a_setup_token_is_kept,
);
