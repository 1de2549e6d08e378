//! The form of requests to and errors of `/oauth/token` (RFC 6749 §3.2, §5.2).

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};

use crate::databases::on_both_databases;
use crate::harness::{Harness, token_request};

fn form(body: impl Into<Body>) -> Request<Body> {
    Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap()
}

fn wrong_requests() -> Vec<(Request<Body>, u16, &'static str)> {
    let mut with_query = form("grant_type=refresh_token&refresh_token=x");
    *with_query.uri_mut() = "/oauth/token?refresh_token=x".parse().unwrap();
    let mut as_json = form(r#"{"grant_type": "refresh_token"}"#);
    as_json
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let mut with_client = form("grant_type=refresh_token&refresh_token=x");
    with_client
        .headers_mut()
        .insert("authorization", "Basic YTpi".parse().unwrap());

    vec![
        (form(""), 400, "invalid_request"),
        (form("grant_type="), 400, "invalid_request"),
        (form("grant_type=refresh_token"), 400, "invalid_request"),
        (
            form("grant_type=refresh_token&grant_type=refresh_token&refresh_token=x"),
            400,
            "invalid_request",
        ),
        (
            form("grant_type=refresh_token&refresh_token=x&refresh_token=y"),
            400,
            "invalid_request",
        ),
        (
            form(format!(
                "grant_type=refresh_token&refresh_token={}",
                "x".repeat(16 * 1024)
            )),
            413,
            "invalid_request",
        ),
        (with_query, 400, "invalid_request"),
        (as_json, 400, "invalid_request"),
        (
            form("grant_type=password&username=root&password=x"),
            400,
            "unsupported_grant_type",
        ),
        (form("grant_type=client_credentials"), 401, "invalid_client"),
        (
            form("grant_type=refresh_token&refresh_token=x"),
            400,
            "invalid_grant",
        ),
        (
            form("grant_type=refresh_token&refresh_token=%00%ff"),
            400,
            "invalid_grant",
        ),
        (with_client, 401, "invalid_client"),
    ]
}

async fn wrong_requests_are_answered_in_the_form_of_the_rfc(harness: Arc<Harness>) {
    for (number, (request, status, error)) in wrong_requests().into_iter().enumerate() {
        let answer = harness.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "case {number}: {}", answer.text);
        assert_eq!(answer.json()["error"], error, "case {number}: {}", answer.text);
        assert!(answer.json()["error_description"].is_string());
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401);
    }
}

async fn unknown_parameters_are_ignored(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");

    let request = token_request(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("extra", "1"),
    ]);

    assert_eq!(harness.send(request).await.status, StatusCode::OK);
}

on_both_databases!(
    wrong_requests_are_answered_in_the_form_of_the_rfc,
    unknown_parameters_are_ignored
);
