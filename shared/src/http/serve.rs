//! The listener: HTTP/1.1 and HTTP/2 with bounds on what a stranger may hold open, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service as _;

use crate::runtime::shutdown::{CancellationToken, TaskTracker};

/// Connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_000;

/// How long a client may take to begin to talk and to send the head of a request, and how long an idle connection is
/// kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// The head of a request at most, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Header fields of a request at most.
const HEADERS_MAX: usize = 100;

/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 100;

/// How long requests that were begun may take after the order to stop.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// How long to wait before accepting again after an error such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of the connection that a request came over, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub SocketAddr);

/// Serves until `shutdown`, then lets requests that were begun end within a bound and cuts the others off. When it
/// returns, no connection is open.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let builder = Arc::new(connection_builder());
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (connections, cut_off) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let accepting = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepting => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let watched = watch_connection(&builder, &graceful, stream, peer, router.clone());
        let cut = cut_off.clone();
        connections.spawn(async move {
            tokio::select! { () = watched => {}, () = cut.cancelled() => {} }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_MAX, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests took too long to end and are cut off");
    }
    cut_off.cancel();
    connections.close();
    connections.wait().await;
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(HEADER_TIMEOUT);
    builder
}

fn watch_connection(
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl Future<Output = ()> + Send + use<> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
    }
    // Until a request has begun, hyper's own bound does not hold: it starts when the version of HTTP is known.
    let begun = CancellationToken::new();
    let begins = begun.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        begins.cancel();
        request.extensions_mut().insert(PeerAddr(peer));
        router.clone().call(request.map(axum::body::Body::new))
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let watched = graceful.watch(connection);
    async move {
        let late = async {
            if tokio::time::timeout(HEADER_TIMEOUT, begun.cancelled())
                .await
                .is_ok()
            {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = watched => {
                if let Err(error) = ended {
                    tracing::debug!(%error, client.peer = %peer, "a connection ended with an error");
                }
            }
            () = late => tracing::debug!(client.peer = %peer, "a connection asked for nothing in time"),
        }
    }
}
