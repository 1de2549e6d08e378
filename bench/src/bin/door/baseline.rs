//! What is measured beside the door: a handler that answers at once, which is also the upstream, and a proxy that does nothing
//! but forward.

use std::convert::Infallible;

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use bench::Outcome;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

/// Answers every path with an object about as long as that of `/api/me`.
pub(crate) async fn handler(port: u16) -> Outcome<()> {
    let answer = get(async || {
        Json(json!({
            "sub": "usr_0199a5c0a4c97d1e8f0a2b3c4d5e6f70",
            "username": "root",
            "client_id": null,
            "issuer": "http://127.0.0.1:8080",
            "audience": ["orders"],
            "scopes": ["orders:read", "orders:write"],
            "roles": ["admin", "user"],
            "expires_at": "2026-01-01T00:00:00.000000Z",
        }))
    });
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, Router::new().fallback_service(answer)).await?)
}

/// Forwards everything to `upstream`.
pub(crate) async fn proxy(port: u16, upstream: u16) -> Outcome<()> {
    let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let client = client.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = client.clone();
            async move {
                if let Ok(uri) = forwarded(request.uri(), upstream) {
                    *request.uri_mut() = uri;
                }
                let answer = client.request(request).await;
                Ok::<_, Infallible>(match answer {
                    Ok(answer) => answer.map(Body::new),
                    Err(_) => unreachable_upstream(),
                })
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn forwarded(uri: &Uri, upstream: u16) -> Outcome<Uri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(format!("http://127.0.0.1:{upstream}{path}").parse()?)
}

fn unreachable_upstream() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
