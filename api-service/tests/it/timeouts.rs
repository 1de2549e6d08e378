//! Clients and upstreams that take their time.

use http::StatusCode;
use shared::event::{Event, action};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{DEADLINE, TestDoor};

/// Routes to what `orders` has, each with its own bounds.
const ROUTES: &str = "[[route]]\nname='never'\nmatch='GET /never'\nallow='anyone'\nto='orders'\ntimeouts={answer=1}\n\
    [[route]]\nname='stalls'\nmatch='GET /stalls'\nallow='anyone'\nto='orders'\ntimeouts={idle=1}\n\
    [[route]]\nname='endless'\nmatch='GET /endless'\nallow='anyone'\nto='orders'\ntimeouts={whole=1}\n\
    [[route]]\nname='read'\nmatch='POST /read'\nallow='anyone'\nto='orders'\ntimeouts={body=1}\n\
    [[route]]\nname='large-head'\nmatch='HEAD /large'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='large'\nmatch='POST /large'\nallow='anyone'\nto='orders'\nbody_max_bytes=2000\n\
    [[route]]\nname='any'\nmatch='GET /{rest..}'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='head'\nmatch='HEAD /{rest..}'\nallow='anyone'\nto='orders'\n";

/// Sends `bytes` and reads until the door closes.
async fn said(door: &TestDoor, bytes: &str) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    drop(
        tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said))
            .await
            .expect("the door closes"),
    );
    String::from_utf8_lossy(&said).into_owned()
}

fn is_end(event: &Event) -> bool {
    event.facts.action == action::API_RESPONSE_END
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_gateway_timeout() {
    let door = TestDoor::start(ROUTES).await;

    let answer = door.get("/never", None).await;

    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json()["code"], "upstream_timeout");
}

#[tokio::test]
async fn an_answer_that_stalls_or_never_ends_is_broken_off_for_that_reason() {
    for (path, reason) in [("/stalls", "upstream_timeout"), ("/endless", "time_over")] {
        let door = TestDoor::start(ROUTES).await;

        let said = said(&door, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;

        assert!(said.starts_with("HTTP/1.1 200 "), "{path}: {said:.80}");
        assert!(
            !said.ends_with("0\r\n\r\n"),
            "{path}: the client can tell that it is not whole"
        );
        let end = door.collector.first("the end", is_end).await;
        assert_eq!(end.facts.reason.as_deref(), Some(reason), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_pauses_for_too_long_is_refused() {
    let door = TestDoor::start(ROUTES).await;

    for framing in [
        "Content-Length: 10\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let said = said(&door, &format!("POST /read HTTP/1.1\r\nHost: a\r\n{framing}")).await;

        assert!(said.starts_with("HTTP/1.1 408 "), "{framing}: {said}");
        assert!(said.contains("body_timeout"), "{framing}: {said}");
    }
}

#[tokio::test]
async fn a_route_may_take_larger_bodies_than_others() {
    let door = TestDoor::start(ROUTES).await;
    let post = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    };

    assert!(
        said(&door, &post("/read", 1025))
            .await
            .starts_with("HTTP/1.1 413 ")
    );
    assert!(
        !said(&door, &post("/large", 2000))
            .await
            .starts_with("HTTP/1.1 413 ")
    );
    assert!(
        said(&door, &post("/large", 2001))
            .await
            .starts_with("HTTP/1.1 413 ")
    );
}

#[tokio::test]
async fn clients_that_dawdle_do_not_hold_others_up() {
    let door = TestDoor::start(ROUTES).await;
    let mut dawdling = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        let begun = match number % 3 {
            0 => "GET /x HTTP/1.1\r\nHost: a\r\n",
            1 => "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
            _ => "GET /stalls HTTP/1.1\r\nHost: a\r\n\r\n",
        };
        stream.write_all(begun.as_bytes()).await.unwrap();
        dawdling.push(stream);
    }

    let served = tokio::time::timeout(DEADLINE, door.get("/status/200", None)).await;

    assert_eq!(served.expect("it is not held up").status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on_only_if_it_is_let_in() {
    let door = TestDoor::start(ROUTES).await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(head("/read").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with('3'), "{rest}");

    let refused = said(&door, &head("/nothing")).await;

    assert!(refused.starts_with("HTTP/1.1 404 "), "{refused}");
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let door = TestDoor::start(ROUTES).await;
    for (method, path, status, length) in [
        ("HEAD", "/large", 200, Some("content-length: 100000")),
        ("GET", "/status/204", 204, None),
        ("GET", "/status/304", 304, None),
    ] {
        let said = said(
            &door,
            &format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        )
        .await;

        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {said}");
        assert!(said.ends_with("\r\n\r\n"), "{path}: {said}");
        assert!(
            length.is_none_or(|length| said.contains(length)),
            "{path}: {said}"
        );
    }
}
