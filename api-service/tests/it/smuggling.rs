//! Requests that two readers could take for two different ones: answered by the door, and never seen by an upstream.

use http::StatusCode;
use shared::event::{Event, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Counted, TestDoor, eventually};

async fn door(upstream: &Counted) -> TestDoor {
    let methods = ["GET", "POST", "OPTIONS", "HEAD"];
    let routes = methods.map(|method| {
        format!("[[route]]\nname='{method}'\nmatch='{method} /{{rest..}}'\nallow='anyone'\nto='counted'\n")
    });
    let upstream = format!("[upstream.counted]\nservers=['http://{}']\n", upstream.address);
    TestDoor::start(&format!("{upstream}{}", routes.concat())).await
}

/// What comes back for `bytes` until the door closes.
async fn said(door: &TestDoor, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    // A door that closes while bytes are unread resets the connection; what it said before counts.
    let read = tokio::time::timeout(crate::harness::DEADLINE, stream.read_to_end(&mut said)).await;
    drop(read.expect("the door closes"));
    String::from_utf8_lossy(&said).into_owned()
}

/// What a body would begin with that smuggles a request.
const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Heads that the door takes for requests and refuses with an event: name, head, reason, flaw.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    (
        "length, then coding",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "request_malformed",
        "length_and_coding",
    ),
    (
        "coding, then length",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "request_malformed",
        "length_and_coding",
    ),
    (
        "coding in odd case and a length",
        "POST /x HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING:\tchunked\r\ncontent-length: 4\r\n",
        "request_malformed",
        "length_and_coding",
    ),
    (
        "the same length twice",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        "request_malformed",
        "repeated_length",
    ),
    (
        "identity, chunked",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n",
        "request_malformed",
        "transfer_coding",
    ),
    (
        "chunked, chunked",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n",
        "request_malformed",
        "transfer_coding",
    ),
    (
        "chunked twice",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "request_malformed",
        "transfer_coding",
    ),
    (
        "a bare line feed",
        "POST /x HTTP/1.1\r\nHost: a\nX: y\r\n",
        "request_malformed",
        "bare_line_feed",
    ),
    (
        "a bare line feed after the first line",
        "GET /x HTTP/1.1\nHost: a\r\n",
        "request_malformed",
        "bare_line_feed",
    ),
    (
        "no host",
        "GET /x HTTP/1.1\r\nX: y\r\n",
        "request_malformed",
        "no_host",
    ),
    (
        "two hosts",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "request_malformed",
        "bad_host",
    ),
    (
        "the same host twice",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
        "request_malformed",
        "bad_host",
    ),
    (
        "two hosts in one line",
        "GET /x HTTP/1.1\r\nHost: a, b\r\n",
        "request_malformed",
        "bad_host",
    ),
    (
        "a target of another host",
        "GET http://a/x HTTP/1.1\r\nHost: b\r\n",
        "request_malformed",
        "host_conflict",
    ),
    (
        "an encoded slash",
        "GET /a%2fb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "an encoded backslash",
        "GET /a%5Cb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "dot segments",
        "GET /a/../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "encoded dot segments",
        "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "an encoded NUL",
        "GET /a%00b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "a matrix parameter",
        "GET /a;x=y/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "a doubled slash",
        "GET //a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "an encoded line feed",
        "GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "no path at all",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
    (
        "a tunnel",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n",
        "path_refused",
        "",
    ),
];

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_with_an_event_and_no_upstream_sees_it() {
    let upstream = Counted::start().await;
    let door = door(&upstream).await;

    for (name, head, reason, flaw) in REQUESTS {
        let before = door.collector.matching(is_request).len();
        let said = said(&door, format!("{head}\r\n{SMUGGLED}").as_bytes()).await;

        assert!(said.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{name}: {said}");
        assert!(said.contains(&format!(r#""code":"{reason}""#)), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{name}: {said}");
        eventually(name, async || door.collector.matching(is_request).len() > before).await;
        let event = door.collector.matching(is_request).pop().unwrap();
        assert_eq!(event.facts.outcome, Outcome::Denied, "{name}");
        assert_eq!(event.facts.reason.as_deref(), Some(*reason), "{name}");
        let told = event.facts.detail.get("flaw").and_then(|flaw| flaw.as_str());
        assert_eq!(told.unwrap_or_default(), *flaw, "{name}");
        assert_eq!(event.facts.http.unwrap().status, Some(400), "{name}");
    }

    assert_eq!(upstream.requests(), 0);
}

fn is_request(event: &Event) -> bool {
    event.facts.action == "api_request" && event.facts.reason.is_some()
}

/// Heads that are no requests: name, head, status, code of the event.
const NO_REQUESTS: &[(&str, &[u8], u16, &str)] = &[
    (
        "different lengths",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        400,
        "http_malformed",
    ),
    (
        "a list of lengths",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        400,
        "http_malformed",
    ),
    (
        "a length with a sign",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        400,
        "http_malformed",
    ),
    (
        "a negative length",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na",
        400,
        "http_malformed",
    ),
    (
        "a length beyond all",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\na",
        400,
        "http_malformed",
    ),
    (
        "chunked, identity",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "xchunked",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "chunked behind a vertical tab",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a folded coding",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a folded header",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a first header that is folded",
        b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a space before the colon",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a coding in HTTP/1.0",
        b"POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "NUL in a value",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "NUL in a name",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "NUL in the target",
        b"GET /x\0y HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a bare carriage return",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a name of no token",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX(y): a\r\n\r\n",
        400,
        "http_malformed",
    ),
    (
        "a version of three digits",
        b"GET /x HTTP/1.10\r\nHost: a\r\n\r\n",
        400,
        "http_malformed",
    ),
    ("a head of many headers", &[0; 0], 431, "http_head_too_large"),
];

#[tokio::test]
async fn what_is_no_request_is_answered_counted_and_recorded_and_no_upstream_sees_it() {
    let upstream = Counted::start().await;
    let door = door(&upstream).await;
    let many = format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200));

    for (name, head, status, code) in NO_REQUESTS {
        let before = door.collector.matching(is_request).len();
        let head = if head.is_empty() { many.as_bytes() } else { head };
        let said = said(&door, head).await;

        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {said}");
        eventually(name, async || door.collector.matching(is_request).len() > before).await;
        let event = door.collector.matching(is_request).pop().unwrap();
        assert_eq!(event.facts.reason.as_deref(), Some(*code), "{name}");
        assert_eq!(event.facts.outcome, Outcome::Denied, "{name}");
        assert_eq!(
            event.facts.client.unwrap().peer_ip.as_deref(),
            Some("127.0.0.1"),
            "{name}"
        );
        assert_eq!(event.facts.http.unwrap().status, Some(*status), "{name}");
    }

    assert_eq!(upstream.requests(), 0);
    let metrics = door.metrics().await;
    let malformed = NO_REQUESTS.len() - 1;
    assert!(
        metrics.contains(&format!(
            r#"gatelog_door_connections_refused_total{{cause="http_malformed"}} {malformed}"#
        )),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_body_that_is_no_row_of_chunks_reaches_no_upstream() {
    let upstream = Counted::start().await;
    let door = door(&upstream).await;

    for (name, body) in [
        ("no size", "\r\nabc\r\n0\r\n\r\n"),
        ("a size that is no number", "x\r\nabc\r\n0\r\n\r\n"),
        ("a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("a negative size", "-3\r\nabc\r\n0\r\n\r\n"),
        ("a size beyond all", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ("a bare line feed after the size", "3\nabc\r\n0\r\n\r\n"),
        ("a bare line feed in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        (
            "an extension without end",
            &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000)),
        ),
    ] {
        let head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let said = said(&door, format!("{head}{body}").as_bytes()).await;

        assert!(said.starts_with("HTTP/1.1 400 "), "{name}: {said}");
        assert!(said.contains("body_unreadable"), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{name}: {said}");
    }

    assert_eq!(upstream.requests(), 0);
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as HPACK literals that are not indexed (RFC 7541 §6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    block
}

/// A connection that has asked for these fields as stream 1.
async fn asked(door: &TestDoor, fields: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 0x5, 1, &block(fields)));
    stream.write_all(&bytes).await.unwrap();
    stream
}

/// The kind of the first frame about stream 1 or the whole connection, and what begins it; nothing if the door closed.
async fn first_word(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.ok()?;
        if [1, 3, 7].contains(&head[3]) {
            return Some((head[3], payload));
        }
    }
}

type Fields = Vec<(&'static str, &'static str)>;

const PLAIN: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/x"),
    (":authority", "a"),
];

/// What HTTP/2 must not carry: name, fields.
fn forged_fields() -> Vec<(&'static str, Fields)> {
    let with = |more: &[(&'static str, &'static str)]| [&PLAIN[..], more].concat();
    let without = |name: &str| {
        PLAIN
            .into_iter()
            .filter(|field| field.0 != name)
            .collect::<Vec<_>>()
    };
    vec![
        ("a connection header", with(&[("connection", "x-user")])),
        ("keep-alive", with(&[("keep-alive", "1")])),
        ("an upgrade", with(&[("upgrade", "websocket")])),
        ("a transfer coding", with(&[("transfer-encoding", "chunked")])),
        ("te of more than trailers", with(&[("te", "gzip")])),
        ("a length without a body", with(&[("content-length", "5")])),
        ("no path", without(":path")),
        ("no method", without(":method")),
        ("two paths", with(&[(":path", "/y")])),
        ("two methods", with(&[(":method", "POST")])),
        ("an unknown pseudo-header", with(&[(":x", "y")])),
        (
            "a pseudo-header after a header",
            [&[("x", "y")], &PLAIN[..]].concat(),
        ),
        ("a name in capitals", with(&[("X-Y", "z")])),
        ("a line feed in a value", with(&[("x", "y\r\nz: 1")])),
        (
            "a line in the path",
            [&without(":path")[..], &[(":path", "/ HTTP/1.1\r\nHost: b")]].concat(),
        ),
        (
            "a line in the method",
            [&without(":method")[..], &[(":method", "GET / HTTP/1.1\r\nX: y")]].concat(),
        ),
        ("another host", with(&[("host", "b")])),
        ("two hosts", with(&[("host", "a"), ("host", "a")])),
        (
            "a path of two readings",
            [&without(":path")[..], &[(":path", "/a/..%2fb")]].concat(),
        ),
        (
            "a path without a slash",
            [&without(":path")[..], &[(":path", "x")]].concat(),
        ),
    ]
}

#[tokio::test]
async fn http2_is_no_way_around() {
    let upstream = Counted::start().await;
    let door = door(&upstream).await;
    let answer = first_word(&mut asked(&door, &PLAIN).await).await;
    assert_eq!(answer.unwrap().1[0], 0x88, "a good one is served");
    assert_eq!(upstream.requests(), 1);

    for (name, fields) in forged_fields() {
        let mut stream = asked(&door, &fields).await;

        let word = tokio::time::timeout(crate::harness::DEADLINE, first_word(&mut stream))
            .await
            .expect(name);

        // 0x8c is `:status: 400` of the static table.
        let is_refusal = word
            .as_ref()
            .is_none_or(|(kind, payload)| *kind != 1 || payload.first() == Some(&0x8c));
        assert!(is_refusal, "{name}: {word:?}");
    }

    assert_eq!(upstream.requests(), 1);
}

#[tokio::test]
async fn bytes_after_an_upgrade_that_was_not_agreed_on_are_requests_of_their_own() {
    let upstream = Counted::start().await;
    let door = door(&upstream).await;
    let upgrade = "GET /one HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let second = "GET /a/../admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    let said = said(&door, format!("{upgrade}{second}").as_bytes()).await;

    assert!(said.contains("path_refused"), "the second was judged too: {said}");
    assert!(upstream.requests() <= 1);
    assert!(!said.contains(StatusCode::SWITCHING_PROTOCOLS.as_str()), "{said}");
}
