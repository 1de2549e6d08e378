//! Upstreams of several servers, some of which are not well.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shared::event::Event;
use shared::http::serve::{Serving, Tls, TlsFiles, serve_with};
use shared::runtime::shutdown::CancellationToken;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{TestDoor, eventually};

/// A server that tells its name, and whether it is well.
struct Server {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl Server {
    async fn start(name: &'static str) -> Self {
        let is_well = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_well);
        let health = async move || {
            if asked.load(Ordering::SeqCst) {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let router = Router::new()
            .route("/healthz", get(health))
            .route("/hangs", get(std::future::pending::<()>))
            .fallback(async move || name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, is_well }
    }
}

/// A server that takes a request and closes without a word. It counts them.
async fn start_mute() -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (address, seen)
}

/// An address that nobody listens at.
async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn door(servers: &[SocketAddr], keys: &str) -> TestDoor {
    let servers: Vec<_> = servers
        .iter()
        .map(|server| format!("'http://{server}'"))
        .collect();
    let route = |method: &str| {
        format!("[[route]]\nname='{method}'\nmatch='{method} /{{rest..}}'\nallow='anyone'\nto='pool'\n")
    };
    TestDoor::start(&format!(
        "[upstream.pool]\nservers=[{}]\n{keys}\n{}{}",
        servers.join(","),
        route("GET"),
        route("POST")
    ))
    .await
}

async fn name(door: &TestDoor) -> String {
    String::from_utf8(door.get("/name", None).await.body).unwrap()
}

fn is_change(standing: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.facts.action == "upstream_changed" && event.facts.detail["standing"] == standing
}

#[tokio::test]
async fn servers_take_turns() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let door = door(&[one.address, two.address], "").await;

    let mut names = Vec::new();
    for _ in 0..6 {
        names.push(name(&door).await);
    }

    names.sort_unstable();
    assert_eq!(names, ["one", "one", "one", "two", "two", "two"]);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_got_around_and_put_aside() {
    let (away, well) = (nowhere().await, Server::start("well").await);
    let door = door(&[away, well.address], "").await;

    for _ in 0..10 {
        assert_eq!(name(&door).await, "well");
    }

    let event = door.collector.first("it is put aside", is_change("aside")).await;
    assert_eq!(event.facts.detail["server"], away.to_string());
    assert_eq!(event.facts.detail["upstream"], "pool");
    let metrics = door.metrics().await;
    let labels = format!(r#"{{upstream="pool",server="{away}""#);
    assert!(
        metrics.contains(&format!(
            "gatelog_door_upstream_failures_total{labels},cause=\"connect\"}} 3"
        )),
        "{metrics}"
    );
    assert!(
        metrics.contains(&format!("gatelog_door_upstream_up{labels}}} 0")),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"gatelog_door_upstream_retries_total{upstream="pool"} 3"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_request_is_sent_once_more_only_if_that_can_do_no_harm() {
    let ((one, seen_by_one), (two, seen_by_two)) = (start_mute().await, start_mute().await);
    let seen = || seen_by_one.load(Ordering::SeqCst) + seen_by_two.load(Ordering::SeqCst);
    let door = door(&[one, two], "").await;

    let answer = door.get("/x", None).await;
    assert_eq!(
        (answer.status, seen()),
        (StatusCode::BAD_GATEWAY, 2),
        "once at each"
    );
    assert_eq!(answer.json()["code"], "upstream_unreachable");

    let answer = door.send(Request::post("/x").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status, seen()),
        (StatusCode::BAD_GATEWAY, 3),
        "it may have been acted on"
    );
}

#[tokio::test]
async fn an_upstream_without_a_server_that_is_well_is_unavailable_until_one_is() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let health = "health={path='/healthz',interval=1,down_after=1,up_after=1}";
    let door = door(&[one.address, two.address], health).await;

    one.is_well.store(false, Ordering::SeqCst);
    let event = door.collector.first("one is down", is_change("down")).await;
    assert_eq!(event.facts.detail["server"], one.address.to_string());
    assert_eq!(event.facts.reason.as_deref(), Some("upstream_unhealthy"));
    for _ in 0..4 {
        assert_eq!(name(&door).await, "two");
    }

    two.is_well.store(false, Ordering::SeqCst);
    eventually("both are down", async || {
        door.get("/name", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let answer = door.get("/name", None).await;
    assert_eq!(answer.json()["code"], "upstream_unavailable");
    assert_eq!(answer.header("retry-after"), "5");

    one.is_well.store(true, Ordering::SeqCst);
    door.collector.first("one is up", is_change("up")).await;
    assert_eq!(name(&door).await, "one");
}

#[tokio::test]
async fn a_server_has_so_many_requests_open_and_no_more() {
    let one = Server::start("one").await;
    let door = door(&[one.address], "open_max=1").await;
    let held = TcpStream::connect(door.address).await.unwrap();
    held.writable().await.unwrap();
    held.try_write(b"GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();

    eventually("it is busy", async || {
        door.get("/name", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let answer = door.get("/name", None).await;
    assert_eq!(answer.json()["code"], "upstream_busy");
    assert_eq!(answer.header("retry-after"), "1");
    drop(held);

    eventually("it is free again", async || {
        door.get("/name", None).await.status == StatusCode::OK
    })
    .await;
}

/// An https server with a certificate for `localhost`, which is in the folder as `cert.pem`.
async fn start_https(folder: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    for (path, label, der) in [
        (&files.cert, "CERTIFICATE", made.cert.der().to_vec()),
        (&files.key, "PRIVATE KEY", made.signing_key.serialize_der()),
    ] {
        let text = STANDARD.encode(der);
        std::fs::write(
            path,
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"),
        )
        .unwrap();
    }
    let serving = Serving {
        tls: Some(Tls::load(files).unwrap()),
        ..Serving::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(async || "secret");
    tokio::spawn(serve_with(serving, listener, router, CancellationToken::new()));
    address
}

#[tokio::test]
async fn an_https_upstream_is_trusted_by_the_authorities_that_are_named_and_no_others() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (address, _) = (start_https(folder.path()).await, start_https(other.path()).await);
    for (authorities, expected) in [
        (folder.path(), StatusCode::OK),
        (other.path(), StatusCode::BAD_GATEWAY),
    ] {
        let door = TestDoor::start(&format!(
            "[upstream.tls]\nservers=['https://localhost:{}']\nca_file='{}'\n\
             [[route]]\nname='r'\nmatch='GET /r'\nallow='anyone'\nto='tls'\n",
            address.port(),
            authorities.join("cert.pem").display(),
        ))
        .await;

        assert_eq!(door.get("/r", None).await.status, expected);
    }
}

/// Tells the version of HTTP and what `te` says, and ends with a trailer.
async fn with_trailer(request: axum::extract::Request) -> axum::response::Response {
    let te = request
        .headers()
        .get("te")
        .map(|te| te.to_str().unwrap().to_owned());
    let told = format!("{:?} {}", request.version(), te.unwrap_or_default());
    let trailers = HeaderMap::from_iter([(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let frames = [
        Ok::<_, std::io::Error>(Frame::data(Bytes::from(told))),
        Ok(Frame::trailers(trailers)),
    ];
    Body::new(StreamBody::new(stream::iter(frames))).into_response()
}

#[tokio::test]
async fn an_upstream_may_be_spoken_to_by_http2_with_trailers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(with_trailer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let door = door(&[address], "http2=true").await;
    let stream = TcpStream::connect(door.address).await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://a/grpc")
        .header("te", "trailers")
        .body(Empty::<Bytes>::new())
        .unwrap();

    let answer = client.send_request(request).await.unwrap();

    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), "HTTP/2.0 trailers");
}
