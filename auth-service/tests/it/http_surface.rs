//! What every end point has in common: how wrong requests are refused, and what a request can not influence.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD, json_request};
use crate::second_factor_harness::{enrol, second_half, ticket};

fn raw(body: impl Into<Body>) -> Request<Body> {
    let mut request = json_request("/v1/login", &json!({}));
    *request.body_mut() = body.into();
    request
}

fn of_type(content_type: Option<&str>) -> Request<Body> {
    let mut request = raw(r#"{"username":"a","password":"b"}"#);
    request.headers_mut().remove("content-type");
    if let Some(content_type) = content_type {
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
    }
    request
}

fn wrong_requests() -> Vec<(Request<Body>, u16, &'static str)> {
    let deep = "[".repeat(8_000);
    vec![
        (of_type(None), 415, "unsupported_media_type"),
        (of_type(Some("text/plain")), 415, "unsupported_media_type"),
        (
            of_type(Some("application/x-www-form-urlencoded")),
            415,
            "unsupported_media_type",
        ),
        (raw(""), 400, "body_malformed"),
        (raw("{"), 400, "body_malformed"),
        (
            raw(r#"{"username":"a","password":"b"} trailing"#),
            400,
            "body_malformed",
        ),
        (raw(b"\xff\xfe".to_vec()), 400, "body_malformed"),
        (raw(r#""text""#), 400, "body_invalid"),
        (raw("[]"), 400, "body_invalid"),
        (raw(r#"{"username":"a"}"#), 400, "body_invalid"),
        (raw(r#"{"username":"a","password":7}"#), 400, "body_invalid"),
        (
            raw(r#"{"username":"a","password":"b","otp":"c"}"#),
            400,
            "body_invalid",
        ),
        (
            raw(r#"{"username":"a","username":"b","password":"c"}"#),
            400,
            "body_invalid",
        ),
        (raw(format!(r#"{{"username":{deep}"#)), 400, "body_invalid"),
        (
            raw(format!(
                r#"{{"username":"{}","password":"b"}}"#,
                "a".repeat(17_000)
            )),
            413,
            "body_too_large",
        ),
        (
            Request::get("/nowhere").body(Body::empty()).unwrap(),
            404,
            "not_found",
        ),
        (
            Request::get("/v1/login").body(Body::empty()).unwrap(),
            405,
            "method_not_allowed",
        ),
        (
            Request::delete("/oauth/token").body(Body::empty()).unwrap(),
            405,
            "method_not_allowed",
        ),
    ]
}

async fn wrong_requests_are_problem_details_with_a_code(harness: Arc<Harness>) {
    for (number, (request, status, code)) in wrong_requests().into_iter().enumerate() {
        let answer = harness.send(request).await;
        let body = answer.json();
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "case {number}: {body}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(body["request_id"], answer.header("x-request-id"));
        assert_eq!(body["status"], status);
    }
}

async fn deep_nesting_inside_a_body_that_fits_is_refused_without_a_crash(harness: Arc<Harness>) {
    let nested = format!("{}{}", r#"{"username":"#.repeat(1_200), "}".repeat(1_200));
    let arrays = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    for body in [nested, arrays] {
        let answer = harness.send(raw(body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(harness.get("/healthz").await.status, StatusCode::OK);
}

async fn the_host_of_a_request_changes_nothing(harness: Arc<Harness>) {
    harness.set_up().await;
    let evil = |mut request: Request<Body>| {
        for name in ["host", "x-forwarded-host", "forwarded"] {
            request
                .headers_mut()
                .insert(name, "evil.example".parse().unwrap());
        }
        request
    };

    let path = "/.well-known/oauth-authorization-server";
    let metadata = harness
        .send(evil(Request::get(path).body(Body::empty()).unwrap()))
        .await;
    let login = json!({"username": "root", "password": PASSWORD});
    let answer = harness.send(evil(json_request("/v1/login", &login))).await;

    assert_eq!(metadata.json()["issuer"], "https://gate.example");
    assert!(!metadata.text.contains("evil"));
    let claims = crate::harness::unverified_claims(&answer.text_of("access_token"));
    assert_eq!(claims["iss"], "https://gate.example");
}

async fn readiness_does_not_hang_on_the_broker(harness: Arc<Harness>) {
    let ready = harness.get("/readyz").await;

    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(
        ready.json()["checks"],
        json!({"database": true, "signing_key": true})
    );
    assert_eq!(harness.get("/healthz").await.text, "ok\n");
}

/// What a user holds who adds a second factor and signs in with it.
async fn secrets_of_a_factor(harness: &Harness, bearer: &str) -> Vec<String> {
    let factor = enrol(harness, bearer).await;
    let ticket = ticket(harness).await;
    let wrong = factor.app.wrong_code(harness);
    second_half(harness, &ticket, &wrong).await;
    let whole = second_half(harness, &ticket, &factor.recovery_codes[0]).await;
    let (access, refresh) = (whole.text_of("access_token"), whole.text_of("refresh_token"));
    let code = factor.recovery_codes[0].clone();
    vec![factor.app.uri, code, ticket, access, refresh]
}

async fn no_secret_is_in_any_event_or_row(harness: Arc<Harness>) {
    let setup_token = harness.setup_token().await;
    let admin = harness.set_up().await;
    let invited = json!({"username": "bob", "roles": []});
    let password_token = harness
        .post_as("/v1/admin/users", &admin, &invited)
        .await
        .text_of("password_token");
    let login = harness.log_in("root").await;
    let refresh = login.text_of("refresh_token");
    let refreshed = harness.refresh(&refresh).await;
    harness
        .post(
            "/v1/login",
            &json!({"username": "bob", "password": "a wrong password of bob"}),
        )
        .await;
    harness
        .post(
            "/v1/password",
            &json!({"token": "pw_guessed-token", "password": PASSWORD}),
        )
        .await;
    harness
        .post_as("/v1/logout", &login.text_of("access_token"), &json!({}))
        .await;
    let of_factor = secrets_of_a_factor(&harness, &admin).await;

    let mut rows = harness.texts("SELECT facts FROM outbox").await;
    assert!(rows.len() > 8);
    rows.extend(
        harness
            .texts("SELECT id || user_id || amr || audience FROM sessions")
            .await,
    );
    let kept = rows.join("\n");
    for secret in [
        PASSWORD,
        "a wrong password of bob",
        "pw_guessed-token",
        &setup_token,
        &password_token,
        &admin,
        &refresh,
        &login.text_of("access_token"),
        &refreshed.text_of("access_token"),
        &refreshed.text_of("refresh_token"),
        crate::harness::SERVICE_TOKEN,
        crate::harness::MASTER_KEY,
    ] {
        assert!(!kept.contains(secret), "{secret}");
    }
    for secret in of_factor {
        assert!(!kept.contains(&secret), "{secret}");
    }
}

on_both_databases!(
    wrong_requests_are_problem_details_with_a_code,
    deep_nesting_inside_a_body_that_fits_is_refused_without_a_crash,
    the_host_of_a_request_changes_nothing,
    readiness_does_not_hang_on_the_broker,
    no_secret_is_in_any_event_or_row,
);
