//! An API behind the door that tells what it was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

pub(crate) async fn start() -> SocketAddr {
    let router = Router::new()
        .route("/status/{code}", any(status))
        .route("/stream", get(streaming))
        .route("/endless", get(endless))
        .route("/stalls", get(stalls))
        .route("/stalls/{rest}", get(stalls))
        .route("/never", get(std::future::pending::<()>))
        .route("/large", post(read).get(|| async { vec![b'x'; 100_000] }))
        .route(
            "/limits",
            get(|| async { [("ratelimit-policy", r#""upstream";q=1"#)] }),
        )
        .route("/read", post(read))
        .route("/counted", get(count))
        .route(
            "/count",
            get(|State(calls): State<Calls>| async move { calls.load(Ordering::SeqCst).to_string() }),
        )
        .fallback(echo)
        .with_state(Calls::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An API that counts every request that comes to it.
pub(crate) struct Counted {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicU32>,
}

impl Counted {
    pub(crate) async fn start() -> Self {
        let requests = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&requests);
        let router = Router::new().fallback(async move |request: Request| {
            seen.fetch_add(1, Ordering::SeqCst);
            // Without this an answer could come before a body that breaks off.
            drop(request.into_body().collect().await);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// How often `/counted` was called.
type Calls = Arc<AtomicU32>;

async fn count(State(calls): State<Calls>) {
    calls.fetch_add(1, Ordering::SeqCst);
}

async fn echo(request: Request) -> Json<serde_json::Value> {
    let headers: BTreeMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    Json(json!({ "uri": request.uri().to_string(), "method": request.method().as_str(), "headers": headers }))
}

async fn read(request: Request) -> Response {
    match request.into_body().collect().await {
        Ok(body) => body.to_bytes().len().to_string().into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn status(axum::extract::Path(code): axum::extract::Path<u16>) -> Response {
    let connection_only = [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=1"),
    ];
    (StatusCode::from_u16(code).unwrap(), connection_only, "done").into_response()
}

async fn streaming() -> Body {
    Body::from_stream(stream::iter(
        (0..10).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))),
    ))
}

pub(super) async fn stalls() -> Body {
    let begun = stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"begun")) });
    Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()))
}

async fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024]))
    }))
}

/// An upstream that promises more than it sends.
pub(super) async fn start_broken() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhalf")
                .await
                .unwrap();
        }
    });
    address
}
