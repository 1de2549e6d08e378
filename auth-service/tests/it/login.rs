//! Sign-in.

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::enforcement::RevocationSet;
use shared::token::{AudienceRule, IssuerRules, KeySet, Trust, TrustedIssuer, verify};
use tokio::task::JoinHandle;

use crate::databases::on_both_databases;
use crate::harness::{Harness, Outside, PASSWORD, json_request, unverified_claims};

/// The body without what differs from request to request.
fn plain(text: &str) -> Value {
    let mut body: Value = serde_json::from_str(text).unwrap();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

async fn a_token_is_accepted_by_the_verifier_of_all_services(harness: Arc<Harness>) {
    harness.set_up().await;

    let answer = harness.log_in("ROOT").await;

    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    let keys = KeySet::from_jwks(harness.get("/.well-known/jwks.json").await.text.as_bytes()).unwrap();
    let trust = Trust::new(vec![TrustedIssuer::with_keys(
        IssuerRules::gatelog("https://gate.example", vec![]),
        keys,
    )]);
    let token = answer.text_of("access_token");
    let verified = verify(
        &token,
        &trust,
        AudienceRule::Gatelog,
        &RevocationSet::default(),
        harness.clock.now(),
    );
    let verified = verified.unwrap();
    assert_eq!(verified.username.as_deref(), Some("root"));
    assert_eq!(verified.roles, ["admin"]);
    assert!(verified.has_scope("audit:read"));
    let claims = unverified_claims(&token);
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(claims["auth_time"], 1_800_000_000);
    assert_eq!(claims["client_id"], "gatelog-login");
}

async fn whoever_fails_to_sign_in_gets_the_same_answer(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "disabled", &[]).await;
    harness
        .sql("UPDATE users SET disabled = (1 = 1) WHERE username = 'disabled'")
        .await;
    let invited = json!({"username": "invited", "roles": []});
    harness.post_as("/v1/admin/users", &admin, &invited).await;

    let cases = [
        ("root", "wrong password that is long"),
        ("nobody", PASSWORD),
        ("disabled", PASSWORD),
        ("invited", PASSWORD),
        ("", ""),
        ("nul\0", PASSWORD),
    ];
    let mut bodies = Vec::new();
    for (username, password) in cases {
        let answer = harness
            .post("/v1/login", &json!({"username": username, "password": password}))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{username}");
        bodies.push(plain(&answer.text));
    }

    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(bodies[0]["code"], "bad_credentials");
    let failed = harness.events_of("authn_login_fail").await;
    assert_eq!(failed.len(), cases.len());
    for (event, (username, _)) in failed.iter().zip(cases) {
        assert_eq!(event["reason"], "bad_credentials");
        assert_eq!(
            event["actor"],
            json!({"identity": "claimed", "username": username})
        );
        assert_eq!(event["class"], "auth");
        assert_eq!(event["outcome"], "failure");
    }
}

async fn a_name_that_fails_in_many_spellings_is_told_as_one(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "Alice", &[]).await;

    for typed in ["alice", "ALICE", "aLiCe", "NoBody", "nobody"] {
        let body = json!({"username": typed, "password": "wrong password that is long"});
        let answer = harness.post("/v1/login", &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{typed}");
    }

    let failed = harness.events_of("authn_login_fail").await;
    let names: Vec<_> = failed.iter().map(|event| &event["actor"]["username"]).collect();
    assert_eq!(names, ["Alice", "Alice", "Alice", "nobody", "nobody"]);
}

async fn a_password_is_verified_exactly_as_it_was_sent(harness: Arc<Harness>) {
    harness.set_up().await;

    for password in [
        format!("{PASSWORD} "),
        format!(" {PASSWORD}"),
        PASSWORD.to_uppercase(),
    ] {
        let answer = harness
            .post("/v1/login", &json!({"username": "root", "password": password}))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{password:?}");
    }
    let too_long = json!({"username": "root", "password": "x".repeat(1025)});
    assert_eq!(harness.post("/v1/login", &too_long).await.code(), "body_invalid");
}

async fn a_sign_in_is_two_events_that_name_the_session_and_the_token(harness: Arc<Harness>) {
    harness.set_up().await;

    let answer = harness.log_in("root").await;

    let claims = unverified_claims(&answer.text_of("access_token"));
    let events = harness.events().await;
    let [.., signed_in, created] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(signed_in["action"], "authn_login_success");
    assert_eq!(signed_in["actor"]["sid"], claims["sid"]);
    assert_eq!(signed_in["actor"]["identity"], "verified");
    assert_eq!(created["action"], "authn_token_created");
    for name in ["jti", "sid"] {
        assert_eq!(created["detail"][name], claims[name]);
        assert_eq!(created["actor"][name], claims[name]);
    }
    assert_eq!(created["detail"]["aud"], "gatelog");
    assert_eq!(created["token"]["alg"], "EdDSA");
    assert_eq!(created["trace"]["request_id"], answer.header("x-request-id"));
    assert_eq!(created["client"]["ip"], "203.0.113.9");
}

async fn another_audience_must_be_known_and_carries_no_scope(harness: Arc<Harness>) {
    harness.set_up().await;
    let body = |audience: &str| json!({"username": "root", "password": PASSWORD, "audience": audience});

    let unknown = harness.post("/v1/login", &body("payments")).await;
    let known = harness.post("/v1/login", &body("orders")).await;

    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::BAD_REQUEST, "audience_unknown")
    );
    assert_eq!(known.json()["scope"], "");
    let claims = unverified_claims(&known.text_of("access_token"));
    assert_eq!(claims["aud"], json!(["orders"]));
    assert_eq!(claims.get("scope"), None);
    // It is no key to Gatelog's own end points.
    let logout = harness
        .post_as("/v1/logout", &known.text_of("access_token"), &json!({}))
        .await;
    assert_eq!(logout.code(), "token_audience_refused");
}

async fn the_client_is_who_trusted_proxies_say_and_bounded(harness: Arc<Harness>) {
    let mut request = json_request(
        "/v1/login",
        &json!({"username": "a".repeat(500), "password": "x"}),
    );
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", "192.0.2.1, 198.51.100.7".parse().unwrap());
    headers.insert("x-request-id", "from-the-proxy".parse().unwrap());
    headers.insert("user-agent", "u".repeat(600).parse().unwrap());
    let (head, body) = request.into_parts();
    let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let again = || axum::http::Request::from_parts(head.clone(), Body::from(bytes.clone()));

    let trusted = harness.send_from([10, 0, 0, 1], again()).await;
    let by_trusted = harness.last_event().await;
    let stranger = harness.send(again()).await;
    let by_stranger = harness.last_event().await;

    assert_eq!(trusted.header("x-request-id"), "from-the-proxy");
    assert_eq!(by_trusted["client"]["ip"], "198.51.100.7");
    assert_eq!(by_trusted["client"]["peer_ip"], "10.0.0.1");
    assert_eq!(by_trusted["client"]["user_agent"].as_str().unwrap().len(), 512);
    assert!(by_trusted["actor"]["username"].as_str().unwrap().len() <= 128);
    assert_ne!(stranger.header("x-request-id"), "from-the-proxy");
    assert_eq!(by_stranger["client"]["ip"], "203.0.113.9");
}

async fn whoever_fails_to_sign_in_costs_the_same_work(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "disabled", &[]).await;
    harness
        .sql("UPDATE users SET disabled = (1 = 1) WHERE username = 'disabled'")
        .await;
    let invited = json!({"username": "invited", "roles": []});
    harness.post_as("/v1/admin/users", &admin, &invited).await;

    for username in ["root", "nobody", "disabled", "invited"] {
        let before = hashed(&harness).await;
        let rows = harness.number(ROWS).await;
        harness
            .post("/v1/login", &json!({"username": username, "password": "x"}))
            .await;
        assert_eq!(hashed(&harness).await, before + 1, "{username}");
        // Its name, and its name with its address; the address and the network were there before.
        let expected = if rows == 0 { 4 } else { rows + 2 };
        assert_eq!(harness.number(ROWS).await, expected, "{username}");
    }
}

/// Disables the user outside and holds the commit back while it signs in.
async fn a_sign_in_waits_for_a_change_of_its_user_and_obeys_it(harness: Arc<Harness>) {
    const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";
    harness.set_up().await;
    let before = harness.number(SESSIONS).await;
    macro_rules! delayed_commit {
        ($tx:expr) => {{
            let mut tx = $tx;
            let disable = sqlx::query("UPDATE users SET disabled = TRUE WHERE username = 'root'");
            disable.execute(&mut *tx).await.unwrap();
            let log_in = {
                let harness = Arc::clone(&harness);
                let body = json!({"username": "root", "password": PASSWORD});
                tokio::spawn(async move { harness.post("/v1/login", &body).await.status })
            };
            until_it_waits(&harness, &log_in).await;
            tx.commit().await.unwrap();
            assert_eq!(log_in.await.unwrap(), StatusCode::UNAUTHORIZED);
        }};
    }

    match &harness.outside {
        Outside::Sqlite(pool) => delayed_commit!(pool.begin_with("BEGIN IMMEDIATE").await.unwrap()),
        Outside::Postgres(pool) => delayed_commit!(pool.begin().await.unwrap()),
    }

    assert_eq!(harness.number(SESSIONS).await, before);
}

/// Until the sign-in waits for a lock, or is over because it did not. SQLite has one lock, and shows nobody who waits for it.
async fn until_it_waits(harness: &Harness, log_in: &JoinHandle<StatusCode>) {
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while matches!(harness.outside, Outside::Postgres(_)) && !log_in.is_finished() {
        if harness.number(WAITING).await > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

const ROWS: &str = "SELECT COUNT(*) FROM throttle_buckets WHERE failures > 0";

/// How many passwords were hashed so far.
async fn hashed(harness: &Harness) -> u64 {
    let text = harness.settings.process.metrics.read().await.unwrap();
    let series = "gatelog_auth_password_hash_duration_seconds_count ";
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap().parse().unwrap()
}

on_both_databases!(
    a_token_is_accepted_by_the_verifier_of_all_services,
    whoever_fails_to_sign_in_gets_the_same_answer,
    a_name_that_fails_in_many_spellings_is_told_as_one,
    a_password_is_verified_exactly_as_it_was_sent,
    a_sign_in_is_two_events_that_name_the_session_and_the_token,
    another_audience_must_be_known_and_carries_no_scope,
    the_client_is_who_trusted_proxies_say_and_bounded,
    whoever_fails_to_sign_in_costs_the_same_work,
    a_sign_in_waits_for_a_change_of_its_user_and_obeys_it,
);
