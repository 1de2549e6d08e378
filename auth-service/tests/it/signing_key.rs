//! Signing keys across restarts, replicas and master keys, and what is published of them.

use std::sync::Arc;
use std::time::Duration;

use auth_service::Service;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::runtime::cli::StartError;
use shared::token::Algorithm;

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD};

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
    // The one that signs and the one that follows.
    assert_eq!(harness.events_of("crypt_key_created").await.len(), 2);
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
    assert_eq!(harness.number("SELECT COUNT(*) FROM signing_keys").await, 2);
    // Two for the harness's own start, two for these.
    assert_eq!(harness.events_of("crypt_key_created").await.len(), 4);
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

fn kid(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: Value = serde_json::from_slice(&bytes).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(harness: &Harness) -> Vec<String> {
    let keys = harness.get("/.well-known/jwks.json").await.json()["keys"].clone();
    keys.as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn access_token(harness: &Harness) -> String {
    harness.log_in("root").await.text_of("access_token")
}

async fn a_rotation_is_announced_before_it_happens_and_old_tokens_stay_valid(harness: Arc<Harness>) {
    let old = harness.set_up().await;
    let known = published(&harness).await;
    assert_eq!((known.len(), kid(&old)), (2, known[0].clone()));

    let rotated = harness.post_as("/v1/admin/keys/rotate", &old, &json!({})).await;
    assert_eq!(rotated.json()["kid"], known[1].as_str(), "{}", rotated.text);
    assert_eq!(kid(&access_token(&harness).await), known[0]);

    harness.wait(Duration::from_mins(16));
    let new = access_token(&harness).await;
    assert_eq!(kid(&new), known[1]);
    assert!(published(&harness).await.contains(&known[0]));
    let [scheduled] = harness.events_of("crypt_key_scheduled").await.try_into().unwrap();
    assert_eq!(
        (&scheduled["class"], &scheduled["actor"]["username"]),
        (&json!("admin"), &json!("root"))
    );

    harness.wait(Duration::from_hours(2));
    harness.service.upkeep().await;
    let later = published(&harness).await;
    assert!(
        !later.contains(&known[0]) && later[0] == known[1] && later.len() == 2,
        "{later:?}"
    );
    assert_eq!(harness.events_of("crypt_key_retired").await.len(), 1);
}

async fn keys_rotate_by_themselves_every_thirty_days(harness: Arc<Harness>) {
    harness.set_up().await;
    let known = published(&harness).await;

    for _ in 0..30 {
        harness.wait(Duration::from_hours(24));
        harness.service.upkeep().await;
    }

    assert_eq!(kid(&access_token(&harness).await), known[1]);
    assert_eq!(harness.events_of("crypt_key_created").await.len(), 3);
}

async fn a_revoked_key_is_gone_at_once_with_everything_that_it_signed(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let session = harness.log_in("root").await;
    let known = published(&harness).await;

    let path = format!("/v1/admin/keys/{}/revoke", known[0]);
    let dry = harness
        .post_as(&format!("{path}?dry_run=true"), &admin, &json!({}))
        .await;
    assert_eq!(dry.json()["state"], "active", "{}", dry.text);
    let revoked = harness.post_as(&path, &admin, &json!({})).await;

    assert_eq!(revoked.json()["state"], "revoked", "{}", revoked.text);
    let refused = harness.get_as("/v1/sessions", &admin).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    let now = published(&harness).await;
    assert!(!now.contains(&known[0]) && now[0] == known[1] && now.len() == 2);
    // Sessions are not signed by it and go on.
    let refreshed = harness.refresh(&session.text_of("refresh_token")).await;
    assert_eq!(kid(&refreshed.text_of("access_token")), known[1]);
    let page = harness.enforcement_since(0).await;
    assert_eq!(
        (&page["entries"][0]["kind"], &page["entries"][0]["value"]),
        (&json!("kid"), &json!(known[0]))
    );
    let [event] = harness.events_of("crypt_key_revoked").await.try_into().unwrap();
    assert_eq!(
        (
            &event["detail"]["before"]["state"],
            &event["detail"]["after"]["state"]
        ),
        (&json!("active"), &json!("revoked"))
    );
    let unknown = harness
        .post_as(
            "/v1/admin/keys/none/revoke",
            &refreshed.text_of("access_token"),
            &json!({}),
        )
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

async fn another_algorithm_takes_over_after_verifiers_had_time_to_learn_its_key(harness: Arc<Harness>) {
    harness.set_up().await;
    for (algorithm, kty) in [(Algorithm::Es256, "EC"), (Algorithm::Rs256, "RSA")] {
        let mut settings = harness.settings.clone();
        settings.keys.algorithm = algorithm;
        let replica = harness.beside(&settings).await;
        let before = published(&replica).await;

        harness.wait(Duration::from_mins(16));
        let token = access_token(&replica).await;

        let set = replica.get("/.well-known/jwks.json").await.json();
        let key = set["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["kid"] == kid(&token).as_str())
            .unwrap();
        assert_eq!(
            (&key["kty"], &key["alg"]),
            (&json!(kty), &json!(algorithm.as_str()))
        );
        assert!(before.contains(&kid(&token)));
        assert_eq!(
            replica.get_as("/v1/sessions", &token).await.status,
            StatusCode::OK
        );
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert_eq!(key.get(private), None);
        }
        // The replica with the other setting follows what is in the database.
        assert_eq!(kid(&access_token(&harness).await), kid(&token));
    }
}

async fn nothing_but_a_signed_access_token_opens_anything(harness: Arc<Harness>) {
    harness.set_up().await;
    let answer = harness.log_in("root").await;
    let access = answer.text_of("access_token");
    let unsigned = access.rsplit_once('.').unwrap().0;
    assert_eq!(
        harness.get_as("/v1/sessions", &access).await.status,
        StatusCode::OK
    );

    for other in [
        &answer.text_of("refresh_token"),
        unsigned,
        &format!("{unsigned}."),
    ] {
        let refused = harness.get_as("/v1/sessions", other).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    }
}

async fn a_replica_hears_of_what_another_did_before_it_signs_again(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let replica = harness.beside(&harness.settings).await;
    let known = published(&replica).await;

    harness
        .post_as(&format!("/v1/admin/keys/{}/revoke", known[0]), &admin, &json!({}))
        .await;
    harness.wait(Duration::from_secs(61));

    assert_eq!(kid(&access_token(&replica).await), known[1]);
}

async fn a_replica_that_cannot_read_the_keys_for_five_minutes_signs_nothing(harness: Arc<Harness>) {
    harness.set_up().await;
    let known = published(&harness).await;
    harness.sql("ALTER TABLE signing_key_head RENAME TO away").await;

    harness.wait(Duration::from_mins(5));
    access_token(&harness).await;
    harness.wait(Duration::from_secs(1));
    let body = json!({"username": "root", "password": PASSWORD});
    let refused = harness.post("/v1/login", &body).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "signing_unavailable")
    );
    assert_eq!(
        harness.get("/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // What was signed is verified nevertheless.
    assert_eq!(published(&harness).await, known);

    harness.sql("ALTER TABLE away RENAME TO signing_key_head").await;
    access_token(&harness).await;
}

on_both_databases!(
    nothing_but_a_signed_access_token_opens_anything,
    a_rotation_is_announced_before_it_happens_and_old_tokens_stay_valid,
    keys_rotate_by_themselves_every_thirty_days,
    a_revoked_key_is_gone_at_once_with_everything_that_it_signed,
    another_algorithm_takes_over_after_verifiers_had_time_to_learn_its_key,
    a_replica_hears_of_what_another_did_before_it_signs_again,
    a_replica_that_cannot_read_the_keys_for_five_minutes_signs_nothing,
    keys_and_tokens_survive_a_restart,
    replicas_that_start_at_once_share_one_key,
    another_master_key_does_not_start,
    the_published_set_is_public_and_cacheable,
);
