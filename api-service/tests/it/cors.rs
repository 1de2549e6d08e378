//! Calls from pages of other origins.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use shared::event::{Outcome, action};

use crate::harness::{Answer, TestDoor};

const APP: &str = "https://app.example.com";

const ROUTES: &str = "[[route]]\nname='read'\nmatch='GET /shared'\nallow='scope:orders:read'\nto='orders'\n\
    cors={origins=['https://app.example.com'],expose=['etag'],credentials=true,max_age=60}\n\
    [[route]]\nname='status'\nmatch='GET /status/{code}'\nallow='anyone'\nto='orders'\ncors={origins=['https://app.example.com']}\n\
    [[route]]\nname='own'\nmatch='GET /own'\nallow='anyone'\nto='orders'\n";

async fn asked(door: &TestDoor, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    door.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_browser_that_asks_first_is_answered_without_a_token_and_recorded() {
    let door = TestDoor::start(ROUTES).await;
    let asks = [("origin", APP), ("access-control-request-method", "GET")];

    let answer = asked(&door, Method::OPTIONS, "/shared", &asks).await;

    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    assert_eq!(answer.header("access-control-allow-methods"), "GET");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization, content-type"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-max-age"), "60");
    assert_eq!(answer.header("vary"), "origin");
    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.outcome, Outcome::Granted);
    assert_eq!(event.facts.policy.unwrap().route.as_deref(), Some("read"));
}

#[tokio::test]
async fn other_origins_and_other_routes_are_told_nothing() {
    let door = TestDoor::start(ROUTES).await;

    for (origin, method, path, status) in [
        ("https://evil.example", "GET", "/shared", StatusCode::NO_CONTENT),
        (
            "https://app.example.com.evil.example",
            "GET",
            "/shared",
            StatusCode::NO_CONTENT,
        ),
        ("null", "GET", "/shared", StatusCode::NO_CONTENT),
        (APP, "POST", "/shared", StatusCode::NOT_FOUND),
        (APP, "GET", "/own", StatusCode::NOT_FOUND),
        (APP, "GET", "/a/..%2fshared", StatusCode::BAD_REQUEST),
    ] {
        let asks = [("origin", origin), ("access-control-request-method", method)];
        let answer = asked(&door, Method::OPTIONS, path, &asks).await;

        assert_eq!(answer.status, status, "{origin} {method} {path}");
        assert!(
            !answer
                .headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control-")),
            "{origin} {method} {path}: {:?}",
            answer.headers
        );
    }
}

#[tokio::test]
async fn a_page_may_read_the_answer_and_a_refusal_too() {
    let door = TestDoor::start(ROUTES).await;
    let bearer = format!("Bearer {}", door.issuer.token());

    let refused = asked(&door, Method::GET, "/shared", &[("origin", APP)]).await;
    let served = asked(
        &door,
        Method::GET,
        "/shared",
        &[("origin", APP), ("authorization", &bearer)],
    )
    .await;
    let foreign = asked(
        &door,
        Method::GET,
        "/shared",
        &[("origin", "https://evil.example"), ("authorization", &bearer)],
    )
    .await;

    assert_eq!(
        (refused.status, served.status),
        (StatusCode::UNAUTHORIZED, StatusCode::OK)
    );
    for answer in [&refused, &served] {
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert_eq!(answer.header("access-control-expose-headers"), "etag");
    }
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    assert_eq!(foreign.header("vary"), "origin", "caches must know in every case");
}
