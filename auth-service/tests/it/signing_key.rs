//! Signing keys across restarts, replicas and master keys, and what is published of them.

use std::sync::Arc;

use auth_service::Service;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use shared::runtime::cli::StartError;

use crate::databases::on_both_databases;
use crate::harness::Harness;

async fn keys_and_tokens_survive_a_restart(harness: Arc<Harness>) {
    let token = harness.set_up().await;
    let before = harness.get("/.well-known/jwks.json").await;

    let restarted = Service::open(&harness.settings).await.unwrap();

    let request = Request::get("/.well-known/jwks.json")
        .body(Body::empty())
        .unwrap();
    let after = tower::ServiceExt::oneshot(restarted.router(), request)
        .await
        .unwrap();
    assert_eq!(after.headers()["etag"], before.header("etag"));
    let mut logout = Request::post("/v1/logout").body(Body::empty()).unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    logout.headers_mut().insert("authorization", bearer);
    let ended = tower::ServiceExt::oneshot(restarted.router(), logout)
        .await
        .unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert_eq!(harness.events_of("crypt_key_created").await.len(), 1);
}

async fn replicas_that_start_at_once_share_one_key(harness: Arc<Harness>) {
    harness.sql("DELETE FROM signing_keys").await;

    let starting: Vec<_> = (0..6)
        .map(|_| {
            let settings = harness.settings.clone();
            tokio::spawn(async move { Service::open(&settings).await.unwrap() })
        })
        .collect();
    let mut etags = Vec::new();
    for started in starting {
        let router = started.await.unwrap().router();
        let request = Request::get("/.well-known/jwks.json")
            .body(Body::empty())
            .unwrap();
        let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
        etags.push(answer.headers()["etag"].clone());
    }

    assert!(etags.iter().all(|etag| *etag == etags[0]));
    assert_eq!(harness.number("SELECT COUNT(*) FROM signing_keys").await, 1);
    // One for the harness's own start, one for these.
    assert_eq!(harness.events_of("crypt_key_created").await.len(), 2);
}

async fn another_master_key_does_not_start(harness: Arc<Harness>) {
    let mut settings = harness.settings.clone();
    settings.master_key = "00".repeat(32).parse().unwrap();

    let error = Service::open(&settings).await.unwrap_err();

    let StartError::Config(text) = error else {
        panic!("{error}")
    };
    assert!(text.contains("master key"), "{text}");
}

async fn the_published_set_is_public_and_cacheable(harness: Arc<Harness>) {
    let answer = harness.get("/.well-known/jwks.json").await;

    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let key = answer.json()["keys"][0].clone();
    assert_eq!(
        (&key["use"], &key["alg"], &key["kty"]),
        (&json!("sig"), &json!("EdDSA"), &json!("OKP"))
    );
    for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
        assert_eq!(key.get(private), None);
    }
    let known = Request::get("/.well-known/jwks.json")
        .header("if-none-match", format!("\"other\", W/{}", answer.header("etag")))
        .body(Body::empty())
        .unwrap();
    let unchanged = harness.send(known).await;
    assert_eq!(
        (unchanged.status, unchanged.text.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
}

on_both_databases!(
    keys_and_tokens_survive_a_restart,
    replicas_that_start_at_once_share_one_key,
    another_master_key_does_not_start,
    the_published_set_is_public_and_cacheable,
);
