//! Connections that are held open without use.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use shared::http::serve::{RefusedCause, Serving};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{PATIENCE, REQUEST, Server, read_to_end};
use crate::support::within;

type Client = SendRequest<Empty<Bytes>>;

/// A client of HTTP/2, and its connection, which answers pings for as long as it is open.
async fn http2(server: &Server) -> (Client, JoinHandle<hyper::Result<()>>) {
    let io = TokioIo::new(server.connect().await);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let (client, connection) = builder.timer(TokioTimer::new()).handshake(io).await.unwrap();
    (client, tokio::spawn(connection))
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://a{path}"))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_that_only_answers_pings_is_closed() {
    let server = Server::start().await;
    let (mut client, connection) = http2(&server).await;
    let answer = client.send_request(request("/")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "quick");
    let started = Instant::now();

    let ended = tokio::time::timeout(PATIENCE * 4, connection).await;

    assert!(ended.is_ok(), "it may stay for ever");
    // Later than this a clock that is not the world's makes pings seem unanswered.
    assert!(started.elapsed() <= PATIENCE * 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    stream.readable().await.unwrap();
    tokio::time::pause();
    let started = Instant::now();

    while server.refused() != [RefusedCause::Unread] {
        assert!(started.elapsed() < PATIENCE * 8, "{:?}", server.refused());
        tokio::time::sleep(PATIENCE / 10).await;
    }
}

#[tokio::test]
async fn an_address_may_hold_so_many_connections_and_no_more() {
    let server = Server::start_with(Serving {
        per_address_max: 2,
        ..Serving::default()
    })
    .await;
    let mut held = server.connect().await;
    let mut other = server.connect().await;
    for stream in [&mut held, &mut other] {
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
    }

    let mut third = server.connect().await;
    assert_eq!(read_to_end(&mut third).await, "", "it is closed at once");
    drop(held);

    within("a place is free again", async {
        loop {
            let mut stream = server.connect().await;
            // It may be closed before it is written to.
            drop(
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    .await,
            );
            if read_to_end(&mut stream).await.ends_with("quick") {
                break;
            }
        }
    })
    .await;
    assert!(
        server
            .refused()
            .iter()
            .all(|cause| *cause == RefusedCause::TooMany)
    );
    within("the other is served", other.readable()).await.unwrap();
}
