//! Tokens that are issued in the second in which others of their subject or client are revoked. The clock of these tests stands still.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::json;

use crate::client_harness::{add_machine, token_of};
use crate::databases::on_both_databases;
use crate::harness::Harness;
use crate::users::change;

async fn is_accepted(harness: &Harness, path: &str, token: &str) -> bool {
    harness.get_as(path, token).await.status == StatusCode::OK
}

async fn a_token_with_the_new_roles_is_good_at_once_and_one_with_the_old_ones_is_not(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let before = harness.log_in("alice").await;
    let path = format!("/v1/admin/users/{id}");
    let seen = harness.get_as(&path, &admin).await.header("etag").to_owned();
    let body = json!({"roles": ["user", "auditor"]});
    let changed = change(&harness, (Method::PATCH, &path), &admin, Some(&seen), &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);

    let signed_in = harness.log_in("alice").await;
    let refreshed = harness.refresh(&before.text_of("refresh_token")).await;

    let tokens = [&before, &signed_in, &refreshed].map(|answer| answer.text_of("access_token"));
    for (token, is_good) in tokens.iter().zip([false, true, true]) {
        assert_eq!(is_accepted(&harness, "/v1/sessions", token).await, is_good);
    }
}

async fn a_machine_that_lost_a_scope_gets_good_tokens_at_once(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let scopes = json!({"scopes": ["admin", "audit:read"]});
    let machine = add_machine(&harness, &admin, &scopes).await;
    let before = token_of(&harness, &machine, &[]).await;
    let path = format!("/v1/admin/clients/{}", machine.id);
    let seen = harness.get_as(&path, &admin).await.header("etag").to_owned();
    let body = json!({"scopes": ["admin"]});
    let changed = change(&harness, (Method::PATCH, &path), &admin, Some(&seen), &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);

    let after = token_of(&harness, &machine, &[]).await;

    assert!(!is_accepted(&harness, "/v1/admin/users", &before).await);
    assert!(is_accepted(&harness, "/v1/admin/users", &after).await);
}

on_both_databases!(
    a_token_with_the_new_roles_is_good_at_once_and_one_with_the_old_ones_is_not,
    a_machine_that_lost_a_scope_gets_good_tokens_at_once,
);
