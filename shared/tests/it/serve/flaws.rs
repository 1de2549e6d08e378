//! Requests that two readers could take for two different ones.

use shared::http::serve::RefusedCause;
use tokio::io::AsyncWriteExt as _;

use super::{Server, read_to_end};
use crate::support::{until, within};

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let server = Server::start().await;
    for (name, head) in [
        (
            "a length and a coding",
            "Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "a coding and a length",
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        ),
        (
            "the same length twice",
            "Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        ),
        ("two codings", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"),
        (
            "chunked twice",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
        ("a bare line feed", "Host: a\nX: y\r\n"),
        ("no host", "X: y\r\n"),
        ("two hosts", "Host: a\r\nHost: a\r\n"),
    ] {
        let said = server
            .answer(&format!(
                "POST / HTTP/1.1\r\n{head}\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
            ))
            .await;

        assert!(said.starts_with("HTTP/1.1 400"), "{name}: {said}");
        assert!(said.contains(r#""code":"request_malformed""#), "{name}: {said}");
        assert!(said.contains("connection: close"), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{name}: {said}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_one_by_one_until_one_is_refused() {
    let server = Server::start().await;
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    let said = server
        .answer(&format!("{good}{chunked}{good}GET / HTTP/1.1\r\n\r\n{good}"))
        .await;

    assert_eq!(said.matches("200 OK").count(), 3, "{said}");
    assert_eq!(said.matches("400 Bad Request").count(), 1, "{said}");
}

#[tokio::test]
async fn what_never_became_a_request_is_told_of() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
        .await
        .unwrap();
    let said = within("an answer", read_to_end(&mut stream)).await;
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    server
        .answer(&format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(200)
        ))
        .await;

    until("both are told of", || server.refused().len() == 2).await;

    assert_eq!(
        server.refused(),
        [RefusedCause::Malformed, RefusedCause::TooLarge]
    );
}
