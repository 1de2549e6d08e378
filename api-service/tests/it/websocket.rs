//! WebSockets through the door.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shared::enforcement::Target;
use shared::event::{Event, Outcome, action};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{DEADLINE, TestDoor};

/// A server that switches if its path is `/ws` and then sends back what it gets; it counts the requests that it sees.
async fn start() -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, seen)
}

async fn serve(mut stream: TcpStream) {
    let head = head_of(&mut stream).await.to_ascii_lowercase();
    let answer = if head.starts_with("get /ws")
        && head.contains("upgrade: websocket")
        && head.contains("connection: upgrade")
    {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello"
    } else if head.starts_with("get /odd") {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
    } else {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nplain"
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    drop(tokio::io::copy(&mut read, &mut write).await);
}

/// Reads up to the empty line.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

async fn door(more: &str) -> (TestDoor, Arc<AtomicU32>) {
    let (address, seen) = start().await;
    let route = |name: &str, more: &str| {
        format!("[[route]]\nname='{name}'\nmatch='GET /{name}'\nallow='signed-in'\nto='sockets'\n{more}\n")
    };
    let routes = format!(
        "[upstream.sockets]\nservers=['http://{address}']\n{}{}{}",
        route("ws", &format!("websocket=true\n{more}")),
        route("odd", "websocket=true"),
        route("plain", ""),
    );
    (TestDoor::start(&routes).await, seen)
}

async fn asked(door: &TestDoor, path: &str, token: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head_of(&mut stream).await;
    (stream, head)
}

fn is_end(event: &Event) -> bool {
    event.facts.action == action::API_RESPONSE_END
}

#[tokio::test]
async fn what_passes_after_the_switch_is_passed_on_and_counted_in_both_directions() {
    let (door, _) = door("").await;
    let (mut stream, head) = asked(&door, "/ws", &door.issuer.token()).await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(
        head.contains("upgrade: websocket") && head.contains("sec-websocket-accept: x"),
        "{head}"
    );

    stream.write_all(b"GET /a/../b HTTP/1.1\n\n").await.unwrap();
    let mut said = [0; 27];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(
        &said, b"helloGET /a/../b HTTP/1.1\n\n",
        "bytes are no requests any more"
    );
    let is_request = |event: &Event| event.facts.action == action::API_REQUEST;
    let begun = door.collector.first("the switch", is_request).await;
    assert!(door.collector.matching(is_end).is_empty());
    stream.shutdown().await.unwrap();

    let end = door.collector.first("the end", is_end).await;
    assert_eq!(begun.facts.http.unwrap().status, Some(101));
    assert_eq!(begun.facts.actor.sub.as_deref(), Some("usr_1"));
    assert_eq!((end.facts.outcome, end.facts.reason), (Outcome::Success, None));
    assert_eq!(end.facts.trace, begun.facts.trace);
    let http = end.facts.http.unwrap();
    assert_eq!((http.request_bytes, http.response_bytes), (Some(22), Some(27)));
}

#[tokio::test]
async fn without_a_token_there_is_no_switch_and_the_upstream_hears_nothing() {
    let (door, seen) = door("").await;

    let (_, head) = asked(&door, "/ws", "nonsense").await;

    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_route_that_says_nothing_of_websockets_has_none() {
    let (door, _) = door("").await;

    let (_, head) = asked(&door, "/plain", &door.issuer.token()).await;

    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[tokio::test]
async fn a_switch_to_something_else_is_a_bad_gateway() {
    let (door, _) = door("").await;

    let (_, head) = asked(&door, "/odd", &door.issuer.token()).await;

    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
}

#[tokio::test]
async fn one_on_which_nothing_passes_is_ended() {
    let (door, _) = door("timeouts={idle=1}").await;
    let (mut stream, head) = asked(&door, "/ws", &door.issuer.token()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

    let mut said = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said)).await;

    assert!(read.is_ok(), "it may stay for ever");
    let end = door.collector.first("the end", is_end).await;
    assert_eq!(end.facts.reason.as_deref(), Some("idle"));
}

#[tokio::test]
async fn one_ends_when_its_caller_s_session_is_revoked() {
    let (door, _) = door("").await;
    let (mut stream, head) = asked(&door, "/ws", &door.issuer.token()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

    door.issuer.revoke(Target::Sid("ses_1".into()));

    let mut said = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut said)).await;
    assert!(read.is_ok(), "it goes on");
    assert_eq!(said, b"hello");
    let end = door.collector.first("the end", is_end).await;
    assert_eq!(
        (end.facts.outcome, end.facts.reason.as_deref()),
        (Outcome::Denied, Some("token_revoked"))
    );
    assert_eq!(end.facts.detail["decision"], "enf_1");
    assert_eq!(end.facts.http.unwrap().response_bytes, Some(5));
}

#[tokio::test]
async fn the_order_to_stop_ends_it_at_once_and_its_end_is_recorded() {
    let (door, _) = door("").await;
    let (mut stream, head) = asked(&door, "/ws", &door.issuer.token()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    let collector = door.collector.clone();

    door.close().await;

    let [end] = collector.matching(is_end).try_into().unwrap();
    assert_eq!(end.facts.reason.as_deref(), Some("door_stopping"));
    assert_eq!(end.facts.http.unwrap().response_bytes, Some(5));
    assert_eq!(collector.all().last().unwrap().facts.action, action::BYE);
}
