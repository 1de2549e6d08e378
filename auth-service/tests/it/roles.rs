//! Roles and their scopes.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness};
use crate::users::change;

async fn create(harness: &Harness, admin: &str, name: &str, scopes: &Value) -> Answer {
    harness
        .post_as("/v1/admin/roles", admin, &json!({"name": name, "scopes": scopes}))
        .await
}

async fn a_role_gives_its_scopes_to_those_who_have_it(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let created = create(&harness, &admin, "billing", &json!(["bills:read", "bills:write"])).await;
    assert_eq!(
        (created.status, created.header("etag")),
        (StatusCode::CREATED, "\"1\""),
        "{}",
        created.text
    );
    harness.add_user(&admin, "alice", &["billing"]).await;

    let session = harness.log_in("alice").await;

    assert_eq!(session.json()["scope"], "bills:read bills:write");
    assert_eq!(
        create(&harness, &admin, "billing", &json!([])).await.code(),
        "role_taken"
    );
    for (name, scopes) in [
        ("2x", json!([])),
        ("x", json!(["a b"])),
        ("x y", json!([])),
        ("x", json!([""])),
    ] {
        assert_eq!(
            create(&harness, &admin, name, &scopes).await.code(),
            "body_invalid",
            "{name} {scopes}"
        );
    }
}

async fn tokens_with_former_scopes_are_void_and_sessions_go_on(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    create(&harness, &admin, "billing", &json!(["bills:read", "bills:write"])).await;
    harness.add_user(&admin, "alice", &["billing"]).await;
    let session = harness.log_in("alice").await;
    let path = "/v1/admin/roles/billing";

    let changed = change(
        &harness,
        (Method::PATCH, path),
        &admin,
        Some("\"1\""),
        &json!({"scopes": ["bills:read"]}),
    )
    .await;

    assert_eq!(
        changed.json()["scopes"],
        json!(["bills:read"]),
        "{}",
        changed.text
    );
    let refused = harness
        .get_as("/v1/sessions", &session.text_of("access_token"))
        .await;
    assert_eq!(refused.code(), "token_revoked");
    harness.wait(Duration::from_secs(1));
    let refreshed = harness.refresh(&session.text_of("refresh_token")).await;
    assert_eq!(refreshed.json()["scope"], "bills:read");
    let event = harness
        .events_of("privilege_permissions_changed")
        .await
        .pop()
        .unwrap();
    assert_eq!(event["detail"]["before"]["scopes"], "bills:read bills:write");
    assert_eq!(event["detail"]["after"]["scopes"], "bills:read");
}

async fn roles_in_use_and_the_administrators_role_stay(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    create(&harness, &admin, "billing", &json!([])).await;
    harness.add_user(&admin, "alice", &["billing"]).await;
    create(&harness, &admin, "unused", &json!([])).await;
    let delete = async |name: &str| {
        let path = format!("/v1/admin/roles/{name}");
        change(
            &harness,
            (Method::DELETE, &path),
            &admin,
            Some("\"1\""),
            &json!({}),
        )
        .await
    };

    assert_eq!(delete("billing").await.code(), "role_in_use");
    assert_eq!(delete("admin").await.code(), "role_built_in");
    assert_eq!(delete("unused").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete("unused").await.status, StatusCode::NOT_FOUND);
    let path = "/v1/admin/roles/admin";
    let weak = change(
        &harness,
        (Method::PATCH, path),
        &admin,
        Some("\"1\""),
        &json!({"scopes": ["audit:read"]}),
    )
    .await;
    assert_eq!(weak.code(), "role_built_in");
    assert_eq!(
        harness.get_as("/v1/admin/roles", &admin).await.json()["roles"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

on_both_databases!(
    a_role_gives_its_scopes_to_those_who_have_it,
    tokens_with_former_scopes_are_void_and_sessions_go_on,
    roles_in_use_and_the_administrators_role_stay,
);
