//! The listener: bounds on what a stranger may hold open or send, and an orderly end.

mod flaws;
mod held_open;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use shared::http::serve::{PeerAddr, Refused, RefusedCause, Serving, serve_with};
use shared::runtime::shutdown::CancellationToken;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::within;

/// What the listener gives a client to send the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the listener gives requests that were begun after the order to stop.
const DRAIN: Duration = Duration::from_secs(15);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    /// Told when a request to `/slow` has begun.
    begun: Arc<Notify>,
    /// Lets a request to `/slow` end.
    release: Arc<Notify>,
    /// What was refused, in order.
    refused: Arc<Mutex<Vec<RefusedCause>>>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Serving::default()).await
    }

    async fn start_with(mut serving: Serving) -> Self {
        let refused: Arc<Mutex<Vec<RefusedCause>>> = Arc::default();
        let causes = refused.clone();
        serving.on_refused = Arc::new(move |refused: Refused| causes.lock().unwrap().push(refused.cause));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, released) = (begun.clone(), release.clone());
        let slow = async move || {
            begins.notify_one();
            released.notified().await;
            "slow"
        };
        let peer = async |Extension(PeerAddr(peer)): Extension<PeerAddr>| peer.to_string();
        let router = Router::new()
            .route("/", get(async || "quick"))
            .route("/peer", get(peer))
            .route("/endless", get(endless))
            .route("/slow", get(slow));
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve_with(serving, listener, router, shutdown.clone()));
        Self {
            address,
            shutdown,
            serving,
            begun,
            release,
            refused,
        }
    }

    fn refused(&self) -> Vec<RefusedCause> {
        self.refused.lock().unwrap().clone()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What comes back for `request` until the server closes.
    async fn answer(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }
}

async fn endless() -> axum::body::Body {
    let part = || Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'x'; 16 * 1024]));
    axum::body::Body::from_stream(futures_util::stream::repeat_with(part))
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A server that closes while we still send may reset the connection; what it said before counts.
    drop(within("the server's end", stream.read_to_end(&mut bytes)).await);
    String::from_utf8(bytes).unwrap()
}

fn assert_about(elapsed: Duration, expected: Duration) {
    assert!(
        elapsed >= expected && elapsed < expected + Duration::from_secs(2),
        "{elapsed:?} instead of {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_ask_in_time_is_cut_off() {
    for (name, sent) in [
        ("nothing at all", &b""[..]),
        ("half a head", b"GET / HTTP/1.1\r\nHost: a\r\n"),
        ("a letter that may begin either protocol", b"P"),
        ("half the preface of HTTP/2", b"PRI * HTTP/2.0\r\n"),
        (
            "HTTP/2 without a request",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
    ] {
        let server = Server::start().await;
        let (mut stream, started) = (server.connect().await, Instant::now());
        stream.write_all(sent).await.unwrap();

        let mut said = Vec::new();
        let ended = tokio::time::timeout(PATIENCE * 4, stream.read_to_end(&mut said)).await;

        assert!(ended.is_ok(), "{name}: it may stay for ever");
        assert_about(started.elapsed(), PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_does_not_prolong_its_time() {
    let server = Server::start().await;
    let (mut stream, started) = (server.connect().await, Instant::now());
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        for byte in REQUEST.bytes() {
            // The last write may fail, as the server has gone by then.
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let mut said = Vec::new();

    tokio::select! {
        () = drip => panic!("the whole head was taken"),
        _ = reading.read_to_end(&mut said) => {}
    }

    assert_about(started.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_one_at_work_is_not() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    let mut working = server.connect().await;
    working
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    server.begun.notified().await;
    let started = Instant::now();

    idle.write_all(REQUEST.as_bytes()).await.unwrap();
    let said = read_to_end(&mut idle).await;
    assert!(said.ends_with("quick"), "{said}");
    assert_about(started.elapsed(), PATIENCE);
    tokio::time::advance(PATIENCE * 10).await;
    server.release.notify_one();

    let said = read_to_end(&mut working).await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK") && said.ends_with("slow"),
        "{said}"
    );
}

#[tokio::test]
async fn a_head_beyond_the_bounds_is_refused() {
    let server = Server::start().await;
    let headers = |count: usize| "X-Many: x\r\n".repeat(count);
    let close = "Host: a\r\nConnection: close\r\n";
    for (name, request, expected) in [
        (
            "100 headers",
            format!("GET / HTTP/1.1\r\n{close}{}\r\n", headers(98)),
            "200",
        ),
        (
            "101 headers",
            format!("GET / HTTP/1.1\r\n{close}{}\r\n", headers(99)),
            "431",
        ),
        (
            "a large header",
            format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "x".repeat(33_000)),
            "431",
        ),
        (
            "a fitting header",
            format!("GET / HTTP/1.1\r\n{close}X: {}\r\n\r\n", "x".repeat(30_000)),
            "200",
        ),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\n{close}\r\n", "x".repeat(40_000)),
            "431",
        ),
        ("no HTTP", "nonsense\r\n\r\n".to_owned(), "400"),
        (
            "a line feed in a name",
            format!("GET / HTTP/1.1\r\n{close}X\n: y\r\n\r\n"),
            "400",
        ),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{close}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            "400",
        ),
    ] {
        let said = server.answer(&request).await;

        assert!(
            said.starts_with(&format!("HTTP/1.1 {expected}")),
            "{name}: {said:.80}"
        );
    }
}

#[tokio::test]
async fn a_handler_knows_the_address_of_the_connection() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap().to_string();

    stream
        .write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();

    let said = read_to_end(&mut stream).await;
    assert!(said.ends_with(&own), "{said} instead of {own}");
}

#[tokio::test]
async fn a_request_in_flight_ends_before_the_server_does() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    within("the request", server.begun.notified()).await;
    let mut idle = server.connect().await;
    idle.write_all(REQUEST.as_bytes()).await.unwrap();
    idle.readable().await.unwrap();

    server.shutdown.cancel();
    let said_to_idle = read_to_end(&mut idle).await;
    assert!(said_to_idle.ends_with("quick"), "{said_to_idle}");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody new is let in"
    );
    assert!(!server.serving.is_finished());
    server.release.notify_one();

    let said = read_to_end(&mut stream).await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK") && said.ends_with("slow"),
        "{said}"
    );
    within("the server's end", server.serving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_end_holds_the_server_up_for_a_bounded_time() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    server.begun.notified().await;
    let started = Instant::now();

    server.shutdown.cancel();
    server.serving.await.unwrap();

    assert_about(started.elapsed(), DRAIN);
}

#[tokio::test]
async fn connections_that_never_asked_do_not_hold_the_server_up() {
    let server = Server::start().await;
    let mut silent = server.connect().await;
    // Once a later connection is answered, the earlier one was accepted.
    assert!(
        server
            .answer("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .ends_with("quick")
    );

    server.shutdown.cancel();

    within("the server's end", server.serving).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");
}
