//! One connection: its handshake, its requests, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::Service as _;

use super::activity::{Activity, Lull, WatchedBody};
use super::flaw::Flaw;
use super::place::Place;
use super::watched::{Findings, Watched};
use super::{OverTls, PeerAddr, Refused, RefusedCause, Serving};
use crate::runtime::shutdown::CancellationToken;

/// How long a client may take to begin to talk, to agree on TLS and to send the head of a request, and how long an idle
/// connection is kept; by HTTP/2, which is looked at in steps, twice that.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a part of an answer may wait for its client.
const UNREAD_MAX: Duration = Duration::from_mins(1);

/// The head of a request at most, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Header fields of a request at most.
const HEADERS_MAX: usize = 100;

/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 100;

/// Requests that an HTTP/2 client may have taken back before they were looked at, and resets that it may make us send: more is
/// the rapid reset of CVE-2023-44487 and the made-you-reset of CVE-2025-8671, and ends the connection.
const RESETS_MAX: usize = 50;

/// Bytes of an answer that wait in HTTP/2 for a client that does not read.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// What all connections share.
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    serving: Serving,
    router: Router,
    shutdown: CancellationToken,
}

impl Connections {
    pub(super) fn new(serving: Serving, router: Router, shutdown: CancellationToken) -> Self {
        Self {
            builder: builder(),
            serving,
            router,
            shutdown,
        }
    }

    /// Serves a connection to its end.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let Some(tls) = &self.serving.tls else {
            return self.serve_http(stream, peer, place, false).await;
        };
        let handshake = tokio::time::timeout(HEADER_TIMEOUT, tls.acceptor().accept(stream));
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            agreed = handshake => match agreed {
                Ok(Ok(stream)) => self.serve_http(stream, peer, place, true).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, client.peer = %peer, "TLS was not agreed on");
                    self.refuse(peer, RefusedCause::Handshake);
                }
                Err(_) => self.refuse(peer, RefusedCause::Handshake),
            },
        }
    }

    async fn serve_http<S>(&self, stream: S, peer: SocketAddr, place: Place, is_tls: bool)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (findings, activity) = (Arc::new(Findings::default()), Activity::new());
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&findings), place));
        let requests = Requests {
            router: self.router.clone(),
            hands_over_flaws: self.serving.hands_over_flaws,
            peer,
            is_tls,
            findings,
            activity: Arc::clone(&activity),
        };
        let service = hyper::service::service_fn(move |request| requests.answer(request));
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let mut lull = pin!(activity.lull(HEADER_TIMEOUT, UNREAD_MAX));
        let is_idle = tokio::select! {
            ended = connection.as_mut() => return self.note_end(peer, ended),
            () = self.shutdown.cancelled() => false,
            lull = lull.as_mut() => match lull {
                Lull::Silent => return self.refuse(peer, RefusedCause::Silent),
                Lull::Unread => return self.refuse(peer, RefusedCause::Unread),
                Lull::Idle => true,
            },
        };
        // HTTP/2 clients are told which of their last requests will be answered.
        connection.as_mut().graceful_shutdown();
        if is_idle {
            if let Ok(ended) = tokio::time::timeout(HEADER_TIMEOUT, connection).await {
                self.note_end(peer, ended);
            }
            return;
        }
        let ended = connection.await;
        self.note_end(peer, ended);
    }

    fn note_end(&self, peer: SocketAddr, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
        let Err(error) = ended else { return };
        tracing::debug!(%error, client.peer = %peer, "a connection ended with an error");
        match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse_too_large() => self.refuse(peer, RefusedCause::TooLarge),
            Some(error) if error.is_parse() => self.refuse(peer, RefusedCause::Malformed),
            _ => {}
        }
    }

    fn refuse(&self, peer: SocketAddr, cause: RefusedCause) {
        tracing::debug!(client.peer = %peer, cause = cause.code(), "a connection was ended");
        (self.serving.on_refused)(Refused { peer, cause });
    }
}

/// What answers the requests of one connection.
struct Requests {
    router: Router,
    hands_over_flaws: bool,
    peer: SocketAddr,
    is_tls: bool,
    findings: Arc<Findings>,
    activity: Arc<Activity>,
}

impl Requests {
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<WatchedBody>, Infallible>> + Send + use<> {
        let open = self.activity.begin();
        let (mut head, body) = request.into_parts();
        head.extensions.insert(PeerAddr(self.peer));
        if self.is_tls {
            head.extensions.insert(OverTls);
        }
        let flaw = self.findings.of_next_head().or_else(|| Flaw::of(&head));
        if let Some(flaw) = flaw {
            head.extensions.insert(flaw);
        }
        let is_h1 = head.version <= http::Version::HTTP_11;
        let answering = match flaw {
            Some(flaw) if !self.hands_over_flaws => Err(flaw.problem()),
            _ => Ok(self
                .router
                .clone()
                .call(Request::from_parts(head, Body::new(body)))),
        };
        let findings = Arc::clone(&self.findings);
        async move {
            let mut response = match answering {
                Ok(answering) => answering.await?,
                Err(problem) => problem.into_response(),
            };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                findings.end();
            }
            if flaw.is_some() && is_h1 {
                // Where the next request begins is not known.
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| open.answered_with(body)))
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
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
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_send_buf_size(UNSENT_BYTES_MAX)
        .keep_alive_interval(HEADER_TIMEOUT);
    builder
}
