//! Clients as administrators register and change them.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use crate::client_harness::{add_machine, add_secret, ask, machine, register, token_of};
use crate::databases::on_both_databases;
use crate::harness::Harness;
use crate::users::change;

async fn a_client_is_registered_changed_and_deleted(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let created = harness
        .post_as("/v1/admin/clients", &admin, &machine(&json!({})))
        .await;
    let id = created.text_of("id");
    let path = format!("/v1/admin/clients/{id}");

    assert!(id.starts_with("cli_"));
    assert_eq!(created.header("etag"), "\"1\"");
    let event = harness.last_event().await;
    assert_eq!(event["action"], "client_created");
    assert!(event["detail"]["before"].is_null());
    assert_eq!(
        event["detail"]["after"]["scopes"],
        json!(["audit:read", "orders:read"])
    );

    let body = json!({"name": "Report", "scopes": ["orders:read"]});
    let patch = (Method::PATCH, path.as_str());
    let unseen = change(&harness, patch.clone(), &admin, None, &body).await;
    assert_eq!(unseen.code(), "precondition_required");
    let changed = change(&harness, patch.clone(), &admin, Some("\"1\""), &body).await;
    assert_eq!(changed.header("etag"), "\"2\"", "{}", changed.text);
    let event = harness.last_event().await;
    assert_eq!(event["detail"]["before"]["name"], "Nightly report");
    assert_eq!(event["detail"]["after"]["name"], "Report");
    let stale = change(&harness, patch, &admin, Some("\"1\""), &body).await;
    assert_eq!(stale.code(), "precondition_failed");
    assert_eq!(harness.get_as(&path, &admin).await.json()["name"], "Report");

    let deleted = change(
        &harness,
        (Method::DELETE, &path),
        &admin,
        Some("\"2\""),
        &json!({}),
    )
    .await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
    assert_eq!(harness.last_event().await["action"], "client_deleted");
    assert_eq!(harness.get_as(&path, &admin).await.status, StatusCode::NOT_FOUND);
}

async fn a_deleted_client_and_one_that_lost_a_scope_lose_their_tokens(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let scopes = json!({"scopes": ["admin"]});
    for (method, body) in [
        (Method::PATCH, json!({"scopes": []})),
        (Method::DELETE, json!({})),
    ] {
        let client = add_machine(&harness, &admin, &scopes).await;
        let token = token_of(&harness, &client, &[]).await;
        let path = format!("/v1/admin/clients/{}", client.id);
        change(&harness, (method.clone(), &path), &admin, Some("\"1\""), &body).await;

        let refused = harness.get_as("/v1/admin/users", &token).await;
        assert_eq!(refused.code(), "token_revoked", "{method}");
        let asked = ask(&harness, &client, &[]).await.status;
        assert_eq!(asked == StatusCode::OK, method == Method::PATCH);
    }
}

async fn a_client_has_two_secrets_to_change_over(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    harness.wait(Duration::from_secs(1));
    let second = add_secret(&harness, &admin, &client.id).await;

    assert_eq!(second.header("cache-control"), "no-store");
    let third = add_secret(&harness, &admin, &client.id).await;
    assert_eq!(third.code(), "too_many_secrets");
    let path = format!("/v1/admin/clients/{}", client.id);
    let read = harness.get_as(&path, &admin).await;
    let first = read.json()["secrets"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(read.json()["secrets"].as_array().unwrap().len(), 2);
    assert!(!read.text.contains("gls_"));
    let mut other = client.clone();
    other.secret = second.text_of("secret");
    token_of(&harness, &client, &[]).await;
    token_of(&harness, &other, &[]).await;

    let secret = format!("{path}/secrets/{first}");
    let deleted = change(&harness, (Method::DELETE, &secret), &admin, None, &json!({})).await;

    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&harness, &client, &[]).await.status, StatusCode::UNAUTHORIZED);
    token_of(&harness, &other, &[]).await;
    assert_eq!(
        add_secret(&harness, &admin, &client.id).await.status,
        StatusCode::CREATED
    );
    let again = change(&harness, (Method::DELETE, &secret), &admin, None, &json!({})).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

async fn secrets_are_nowhere_but_in_the_answer(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    ask(&harness, &client, &[]).await;

    assert!(client.secret.starts_with("gls_"));
    for event in harness.events().await {
        assert!(!event.to_string().contains(&client.secret));
    }
    let length = harness
        .number("SELECT CAST(LENGTH(secret_hash) AS BIGINT) FROM client_secrets")
        .await;
    assert_eq!(length, 32);
}

async fn what_must_not_be_registered_is_refused(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    for (wrong, code) in [
        (json!({"kind": "secret"}), "body_invalid"),
        (json!({"grant_types": ["password"]}), "body_invalid"),
        (json!({"audiences": ["stock"]}), "audience_unknown"),
        (json!({"scopes": ["a b"]}), "body_invalid"),
        (json!({"name": ""}), "body_invalid"),
        (json!({"extra": 1}), "body_invalid"),
        (
            json!({"grant_types": ["authorization_code"], "redirect_uris": ["http://app.example/"]}),
            "body_invalid",
        ),
    ] {
        let refused = harness
            .post_as("/v1/admin/clients", &admin, &machine(&wrong))
            .await;
        assert_eq!(refused.code(), code, "{wrong}: {}", refused.text);
    }
    assert_eq!(harness.number("SELECT COUNT(*) FROM clients").await, 0);
}

async fn clients_are_listed_in_pages_without_keys_of_users(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(register(&harness, &admin, &machine(&json!({}))).await);
    }
    ids.sort();
    let key = json!({"name": "k", "expires_in_days": 1});
    let key = harness.post_as("/v1/api-keys", &admin, &key).await.text_of("id");

    let first = harness.get_as("/v1/admin/clients?limit=2", &admin).await;
    let cursor = first.text_of("next_cursor");
    let path = format!("/v1/admin/clients?limit=2&cursor={cursor}");
    let rest = harness.get_as(&path, &admin).await;

    let listed: Vec<_> = [&first, &rest]
        .iter()
        .flat_map(|page| page.json()["clients"].as_array().unwrap().clone())
        .map(|client| client["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, ids);
    let path = format!("/v1/admin/clients/{key}");
    assert_eq!(harness.get_as(&path, &admin).await.status, StatusCode::NOT_FOUND);
}

async fn only_administrators_see_and_change_clients(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");

    let listed = harness.get_as("/v1/admin/clients", &alice).await;
    let created = harness
        .post_as("/v1/admin/clients", &alice, &machine(&json!({})))
        .await;

    assert_eq!(listed.status, StatusCode::FORBIDDEN);
    assert_eq!(created.status, StatusCode::FORBIDDEN);
}

on_both_databases!(
    a_client_is_registered_changed_and_deleted,
    a_deleted_client_and_one_that_lost_a_scope_lose_their_tokens,
    a_client_has_two_secrets_to_change_over,
    secrets_are_nowhere_but_in_the_answer,
    what_must_not_be_registered_is_refused,
    clients_are_listed_in_pages_without_keys_of_users,
    only_administrators_see_and_change_clients,
);
