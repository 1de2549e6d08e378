//! What is not let in, how the client learns it, and that it is recorded all the same.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use shared::event::{Identity, Outcome, action};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, TestDoor};

const ORDERS: &str = "[[route]]\nname='orders'\nmatch='GET /orders/{id}'\nallow='scope:orders:read & role:staff'\nto='orders'\n\
    [[route]]\nname='read'\nmatch='POST /read'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='absent'\nmatch='GET /absent'\nallow='anyone'\nto='absent'\n";

async fn refused(door: &TestDoor, answer: &Answer, status: StatusCode, code: &str, outcome: Outcome) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["code"], code);
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    let event = door.event_of(answer, action::API_REQUEST).await;
    assert_eq!(event.facts.outcome, outcome);
    assert_eq!(event.facts.reason.as_deref(), Some(code));
    assert_eq!(event.facts.http.unwrap().status, Some(status.as_u16()));
}

#[tokio::test]
async fn a_request_without_a_token_is_challenged_without_an_error_code() {
    let door = TestDoor::start(ORDERS).await;

    let answer = door.get("/orders/7", None).await;

    let challenge = format!(
        r#"Bearer realm="gatelog", resource_metadata="{}/.well-known/oauth-protected-resource""#,
        door.issuer.url
    );
    assert_eq!(answer.header("www-authenticate"), challenge);
    refused(
        &door,
        &answer,
        StatusCode::UNAUTHORIZED,
        "token_missing",
        Outcome::Denied,
    )
    .await;
}

#[tokio::test]
async fn whoever_is_refused_is_led_to_those_who_mint_tokens_for_the_host() {
    let route =
        "[[route]]\nname='own'\nhost='api.example'\nmatch='GET /own'\nallow='signed-in'\nto='orders'\n";
    let door = TestDoor::start(&format!("{ORDERS}{route}")).await;
    let ask = async |host: &str, path: &str| {
        let request = Request::get(path).header("host", host);
        door.send(request.body(Body::empty()).unwrap()).await
    };
    let metadata = "/.well-known/oauth-protected-resource";

    for (host, path, origin) in [
        ("api.example", "/own", "http://api.example"),
        // Whatever a client calls the issuer's host, it is led to the issuer's.
        ("evil.example", "/orders/7", door.issuer.url.as_str()),
    ] {
        let challenge = ask(host, path).await.header("www-authenticate").to_owned();
        let told = ask(host, metadata).await;

        let led = format!(r#"resource_metadata="{origin}{metadata}""#);
        assert!(challenge.ends_with(&led), "{challenge}");
        assert_eq!(told.json()["resource"], origin);
        assert_eq!(told.json()["authorization_servers"], json!([door.issuer.url]));
    }
}

#[tokio::test]
async fn a_broken_token_is_challenged_with_invalid_token_and_never_recorded() {
    let door = TestDoor::start(ORDERS).await;
    let mut token = door.issuer.token();
    let last = if token.pop() == Some('A') { 'B' } else { 'A' };
    token.push(last);

    let answer = door.get("/orders/7", Some(&token)).await;

    assert!(
        answer
            .header("www-authenticate")
            .contains(r#"error="invalid_token""#)
    );
    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.actor.identity, Identity::Claimed);
    assert_eq!(event.facts.actor.sub.as_deref(), Some("usr_1"));
    let body = String::from_utf8(shared::event::wire::encode(&event).unwrap()).unwrap();
    assert!(token.split('.').all(|part| !body.contains(part)), "{body}");
}

#[tokio::test]
async fn a_good_token_without_the_scope_is_told_which_one_is_needed() {
    let door =
        TestDoor::start("[[route]]\nname='w'\nmatch='GET /w'\nallow='scope:orders:write'\nto='orders'\n")
            .await;

    let answer = door.get("/w", Some(&door.issuer.token())).await;

    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains(r#"error="insufficient_scope", scope="orders:write""#),
        "{challenge}"
    );
    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.actor.identity, Identity::Verified);
    refused(
        &door,
        &answer,
        StatusCode::FORBIDDEN,
        "insufficient_scope",
        Outcome::Denied,
    )
    .await;
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let door = TestDoor::start(ORDERS).await;
    let token = format!("Bearer {}", door.issuer.token());
    let request = Request::get("/orders/7")
        .header("authorization", &token)
        .header("authorization", &token)
        .body(Body::empty());

    let answer = door.send(request.unwrap()).await;

    refused(
        &door,
        &answer,
        StatusCode::UNAUTHORIZED,
        "authorization_malformed",
        Outcome::Denied,
    )
    .await;
}

#[tokio::test]
async fn what_no_route_matches_is_not_found() {
    let door = TestDoor::start(ORDERS).await;

    for (method, path) in [("GET", "/nothing"), ("DELETE", "/orders/7"), ("GET", "/orders")] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let answer = door.send(request).await;
        refused(&door, &answer, StatusCode::NOT_FOUND, "no_route", Outcome::Denied).await;
    }
}

#[tokio::test]
async fn a_path_that_could_be_read_in_two_ways_is_refused() {
    let door = TestDoor::start(ORDERS).await;

    for path in ["/orders/..%2f7", "/orders//7", "/%2e%2e/orders/7", "/orders/7%00"] {
        let answer = door.get(path, None).await;
        refused(
            &door,
            &answer,
            StatusCode::BAD_REQUEST,
            "path_refused",
            Outcome::Denied,
        )
        .await;
    }
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_read() {
    let door = TestDoor::start(ORDERS).await;
    let request = Request::post("/read").body(Body::from(vec![b'x'; 1025])).unwrap();

    let answer = door.send(request).await;

    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.http.unwrap().request_bytes, Some(0));
    refused(
        &door,
        &answer,
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        Outcome::Denied,
    )
    .await;
}

#[tokio::test]
async fn a_body_that_grows_too_large_on_the_way_is_refused_too() {
    let door = TestDoor::start(ORDERS).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let head = "POST /read HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
        .write_all(format!("800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800)).as_bytes())
        .await
        .unwrap();

    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let event = door
        .collector
        .first("an event", |event| event.facts.action == action::API_REQUEST)
        .await;
    assert_eq!(event.facts.reason.as_deref(), Some("body_too_large"));
}

#[tokio::test]
async fn an_upstream_that_is_away_is_a_bad_gateway() {
    let door = TestDoor::start(ORDERS).await;

    let answer = door.get("/absent", None).await;

    refused(
        &door,
        &answer,
        StatusCode::BAD_GATEWAY,
        "upstream_unreachable",
        Outcome::Error,
    )
    .await;
}

#[tokio::test]
async fn hostile_text_is_recorded_as_it_is_and_cut_to_length() {
    let door = TestDoor::start(ORDERS).await;
    let agent = format!("<script>'; DROP TABLE event;--{}", "x".repeat(2000));
    let request = Request::get("/nothing?password=hunter2")
        .header("user-agent", &agent)
        .body(Body::empty())
        .unwrap();

    let answer = door.send(request).await;

    let event = door.event_of(&answer, action::API_REQUEST).await;
    let recorded = event.facts.client.unwrap().user_agent.unwrap();
    assert!(recorded.starts_with("<script>'; DROP TABLE event;--") && recorded.len() <= 512);
    assert_eq!(event.facts.detail["query"], "password=*");
}
