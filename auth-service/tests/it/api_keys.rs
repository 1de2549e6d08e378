//! API keys: what a user lets a program do for it.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client_harness::{TestClient, ask, token_of};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, unverified_claims};
use crate::users::change;

async fn make(harness: &Harness, bearer: &str, body: &Value) -> Answer {
    harness.post_as("/v1/api-keys", bearer, body).await
}

async fn add_key(harness: &Harness, bearer: &str, scopes: &[&str]) -> TestClient {
    let body = json!({"name": "Backup", "scopes": scopes, "expires_in_days": 30});
    let created = make(harness, bearer, &body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    TestClient {
        id: created.text_of("id"),
        secret: created.text_of("secret"),
    }
}

async fn a_key_acts_for_its_user_with_its_own_scopes(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let user = harness.add_user(&admin, "alice", &["auditor", "user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");

    let key = add_key(&harness, &alice, &["audit:read"]).await;
    let event = harness.last_event().await;
    let token = token_of(&harness, &key, &[]).await;

    assert!(key.id.starts_with("key_") && key.secret.starts_with("glk_"));
    assert_eq!(event["action"], "api_key_created");
    assert_eq!(event["detail"]["user_id"], user);
    assert!(!event.to_string().contains(&key.secret));
    let claims = unverified_claims(&token);
    assert_eq!(claims["sub"], user);
    assert_eq!(claims["client_id"], key.id);
    assert_eq!(claims["username"], "alice");
    assert_eq!(claims["scope"], "audit:read");
    assert!(claims.get("roles").is_none() && claims.get("sid").is_none());
    let listed = harness.get_as("/v1/api-keys", &alice).await;
    assert_eq!(listed.json()["keys"][0]["id"], key.id);
    assert!(listed.json()["keys"][0]["last_used_at"].is_string());
    assert!(!listed.text.contains("glk_"));
}

async fn a_key_has_no_more_than_its_user_has_now(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let user = harness.add_user(&admin, "alice", &["auditor"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let wide = json!({"name": "k", "scopes": ["admin"], "expires_in_days": 1});
    assert_eq!(make(&harness, &alice, &wide).await.code(), "body_invalid");
    let key = add_key(&harness, &alice, &["audit:read"]).await;
    let path = format!("/v1/admin/users/{user}");
    let seen = harness.get_as(&path, &admin).await.header("etag").to_owned();

    let body = json!({"roles": ["user"]});
    change(&harness, (Method::PATCH, &path), &admin, Some(&seen), &body).await;

    assert_eq!(ask(&harness, &key, &[]).await.json()["scope"], "");
    let asked = [("scope", "audit:read")];
    assert_eq!(ask(&harness, &key, &asked).await.json()["error"], "invalid_scope");
}

async fn a_disabled_user_has_no_key(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let user = harness.add_user(&admin, "alice", &["auditor"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let key = add_key(&harness, &alice, &["audit:read"]).await;
    let path = format!("/v1/admin/users/{user}");
    let seen = harness.get_as(&path, &admin).await.header("etag").to_owned();

    let body = json!({"disabled": true});
    change(&harness, (Method::PATCH, &path), &admin, Some(&seen), &body).await;

    assert_eq!(ask(&harness, &key, &[]).await.json()["error"], "invalid_client");
    assert_eq!(harness.last_event().await["reason"], "client_disabled");
}

async fn a_deleted_key_is_void_with_its_tokens(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let key = add_key(&harness, &admin, &["admin"]).await;
    let token = token_of(&harness, &key, &[]).await;
    let path = format!("/v1/api-keys/{}", key.id);
    let delete = async |bearer: &str| {
        change(&harness, (Method::DELETE, &path), bearer, None, &json!({}))
            .await
            .status
    };
    let is_good = async || harness.get_as("/v1/admin/users", &token).await.status == StatusCode::OK;
    assert!(is_good().await);

    assert_eq!(delete(&alice).await, StatusCode::NOT_FOUND);
    assert!(is_good().await);
    assert_eq!(delete(&admin).await, StatusCode::NO_CONTENT);

    assert!(!is_good().await);
    assert_eq!(ask(&harness, &key, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.events_of("api_key_deleted").await.len(), 1);
    assert_eq!(delete(&admin).await, StatusCode::NOT_FOUND);
}

async fn a_key_makes_and_shows_no_keys(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let key = add_key(&harness, &admin, &["admin"]).await;
    let token = token_of(&harness, &key, &[]).await;

    let body = json!({"name": "k", "expires_in_days": 1});
    assert_eq!(make(&harness, &token, &body).await.code(), "sign_in_required");
    let listed = harness.get_as("/v1/api-keys", &token).await;
    assert_eq!(listed.code(), "sign_in_required");
}

async fn a_key_ends_on_the_day_that_was_named_and_there_is_always_one(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    for body in [
        json!({"name": "k"}),
        json!({"name": "k", "expires_in_days": 0}),
        json!({"name": "k", "expires_in_days": 367}),
        json!({"name": "", "expires_in_days": 1}),
    ] {
        assert_eq!(
            make(&harness, &admin, &body).await.code(),
            "body_invalid",
            "{body}"
        );
    }
    let key = add_key(&harness, &admin, &[]).await;
    harness.wait(Duration::from_secs(30 * 24 * 60 * 60 - 1));
    token_of(&harness, &key, &[]).await;
    harness.wait(Duration::from_secs(1));
    assert_eq!(ask(&harness, &key, &[]).await.status, StatusCode::UNAUTHORIZED);
}

async fn a_user_has_twenty_keys_at_most_and_those_that_are_over_do_not_count(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let body = json!({"name": "k", "expires_in_days": 1});
    for _ in 0..20 {
        assert_eq!(make(&harness, &admin, &body).await.status, StatusCode::CREATED);
    }
    assert_eq!(make(&harness, &admin, &body).await.code(), "too_many_keys");
    harness.wait(Duration::from_hours(24));
    let admin = harness.log_in("root").await.text_of("access_token");
    assert_eq!(make(&harness, &admin, &body).await.status, StatusCode::CREATED);
    let listed = harness.get_as("/v1/api-keys", &admin).await;
    assert_eq!(listed.json()["keys"].as_array().unwrap().len(), 1);
}

on_both_databases!(
    a_key_acts_for_its_user_with_its_own_scopes,
    a_key_has_no_more_than_its_user_has_now,
    a_disabled_user_has_no_key,
    a_deleted_key_is_void_with_its_tokens,
    a_key_makes_and_shows_no_keys,
    a_key_ends_on_the_day_that_was_named_and_there_is_always_one,
    a_user_has_twenty_keys_at_most_and_those_that_are_over_do_not_count,
);
