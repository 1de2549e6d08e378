//! What crosses the door on its way to an upstream and back.

use axum::body::Body;
use http::{Request, StatusCode};
use shared::event::{Outcome, action};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::TestDoor;

const ROUTES: &str = "[[route]]\nname='any'\nmatch='GET /{rest..}'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='read'\nmatch='POST /read'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='broken'\nmatch='GET /broken'\nallow='anyone'\nto='broken'\n\
    [[route]]\nname='mine'\nmatch='GET /mine'\nallow='signed-in'\nto='orders'\n\
    [[route]]\nname='token'\nmatch='GET /token'\nallow='signed-in'\nto='orders'\nforward_token=true\n";

#[tokio::test]
async fn the_upstream_learns_who_calls_from_the_door_alone() {
    let door = TestDoor::start(ROUTES).await;
    let request = Request::get("/mine?a=1")
        .header("authorization", format!("Bearer {}", door.issuer.token()))
        .header("x_user", "evil")
        .header("x-roles", "admin")
        .header("x-forwarded-for", "1.1.1.1")
        .header("connection", "x-user")
        .body(Body::empty())
        .unwrap();

    let seen = door.send(request).await.json();

    let headers = &seen["headers"];
    assert_eq!(seen["uri"], "/mine?a=1");
    assert_eq!(headers["x-user"], "usr_1");
    assert_eq!(headers["x-roles"], "staff");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert!(
        !seen.to_string().contains("evil") && !seen.to_string().contains("1.1.1.1"),
        "{seen}"
    );
    assert!(headers.get("authorization").is_none());
}

#[tokio::test]
async fn a_route_may_forward_the_token() {
    let door = TestDoor::start(ROUTES).await;
    let token = door.issuer.token();

    let seen = door.get("/token", Some(&token)).await.json();

    assert_eq!(seen["headers"]["authorization"], format!("Bearer {token}"));
}

#[tokio::test]
async fn an_upstream_s_status_is_passed_on_and_is_a_granted_request() {
    let door = TestDoor::start(ROUTES).await;

    for status in [204_u16, 404, 500] {
        let answer = door.get(&format!("/status/{status}"), None).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(!answer.headers.contains_key("x-hop") && !answer.headers.contains_key("keep-alive"));
        let event = door.event_of(&answer, action::API_REQUEST).await;
        assert_eq!(event.facts.outcome, Outcome::Granted);
        assert_eq!(event.facts.http.unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn a_path_reaches_the_upstream_in_the_spelling_that_was_decided_on() {
    let door = TestDoor::start(ROUTES).await;

    let seen = door.get("/%6fne/%7etwo?q=%2F", None).await.json();

    assert_eq!(seen["uri"], "/one/~two?q=%2F");
}

#[tokio::test]
async fn a_body_is_passed_on_and_counted() {
    let door = TestDoor::start(ROUTES).await;
    let request = Request::post("/read").body(Body::from(vec![b'x'; 1000])).unwrap();

    let answer = door.send(request).await;

    assert_eq!(answer.body, b"1000");
    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.http.unwrap().request_bytes, Some(1000));
}

#[tokio::test]
async fn a_streamed_answer_is_recorded_at_its_head_and_at_its_end() {
    let door = TestDoor::start(ROUTES).await;

    let answer = door.get("/stream", None).await;

    let head = door.event_of(&answer, action::API_REQUEST).await;
    let end = door.event_of(&answer, action::API_RESPONSE_END).await;
    assert_eq!(answer.body.len(), 50);
    assert_eq!(head.facts.http.unwrap().response_bytes, None);
    assert_eq!(end.facts.http.unwrap().response_bytes, Some(50));
    assert_eq!(end.facts.outcome, Outcome::Success);
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_as_broken() {
    let door = TestDoor::start(ROUTES).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /broken HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();

    let end = door
        .collector
        .first("an end", |event| event.facts.action == action::API_RESPONSE_END)
        .await;

    assert_eq!(end.facts.outcome, Outcome::Error);
    assert_eq!(end.facts.reason.as_deref(), Some("upstream_broken"));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_an_answer_is_recorded() {
    let door = TestDoor::start(ROUTES).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 1024];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);

    let end = door
        .collector
        .first("an end", |event| event.facts.action == action::API_RESPONSE_END)
        .await;

    assert_eq!(end.facts.reason.as_deref(), Some("client_gone"));
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_recorded_once() {
    let door = TestDoor::start(ROUTES).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /never HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);

    let event = door
        .collector
        .first("an event", |event| event.facts.action == action::API_REQUEST)
        .await;

    assert_eq!(event.facts.outcome, Outcome::Error);
    assert_eq!(event.facts.reason.as_deref(), Some("client_gone"));
    assert_eq!(event.facts.http.unwrap().status, None);
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let door = TestDoor::start(ROUTES).await;

    let answer = door.get("/large", None).await;

    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 100_000));
}
