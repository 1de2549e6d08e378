//! The listener: HTTP/1.1 and HTTP/2, plain or by TLS, with bounds on what a stranger may hold open, and an orderly end.

mod activity;
mod connection;
mod flaw;
mod place;
mod scan;
mod tls;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::runtime::shutdown::{CancellationToken, TaskTracker};
use connection::Connections;
pub use flaw::Flaw;
use place::Places;
pub use tls::{Tls, TlsError, TlsFiles};

/// Connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_000;

/// How long requests that were begun may take after the order to stop.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// How long to wait before accepting again after an error such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of the connection that a request came over, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddr(pub SocketAddr);

/// In the extensions of requests that came by TLS.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

/// What a listener is to do beyond the bounds that every one keeps.
#[derive(Clone)]
pub struct Serving {
    /// What encrypts its connections; they are plain without.
    pub tls: Option<Tls>,
    /// Connections at a time.
    pub connections_max: usize,
    /// Connections from one address at a time; further ones are closed.
    pub per_address_max: usize,
    /// Networks that the bound per address does not hold for: proxies speak for many clients.
    pub proxies: Vec<IpNet>,
    /// Who answers a request with a [`Flaw`]: the router, which finds it in the request's extensions, or the listener.
    pub hands_over_flaws: bool,
    /// Told of what never became a request. Must not block.
    pub on_refused: Arc<dyn Fn(Refused) + Send + Sync>,
}

/// What ended a connection, or was answered with a refusal, without becoming a request.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Who was refused.
    pub peer: SocketAddr,
    /// Why.
    pub cause: RefusedCause,
}

/// Why something never became a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedCause {
    /// No HTTP; answered with 400 where it looked like HTTP/1.
    Malformed,
    /// The head was too large; answered with 431 or 414.
    TooLarge,
    /// The address has as many connections as it may.
    TooMany,
    /// TLS was not agreed on, or not in time.
    Handshake,
    /// No request was begun in time.
    Silent,
    /// An answer was not read in time.
    Unread,
}

impl RefusedCause {
    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "http_malformed",
            Self::TooLarge => "http_head_too_large",
            Self::TooMany => "too_many_connections",
            Self::Handshake => "tls_handshake_failed",
            Self::Silent => "no_request_in_time",
            Self::Unread => "answer_not_read",
        }
    }
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: CONNECTIONS_MAX,
            // Whoever stands behind a door is called from one address.
            per_address_max: usize::MAX,
            proxies: Vec::new(),
            hands_over_flaws: false,
            on_refused: Arc::new(|_| {}),
        }
    }
}

/// Serves until `shutdown`, then lets requests that were begun end within a bound and cuts the others off. When it
/// returns, no connection is open.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_with(Serving::default(), listener, router, shutdown).await;
}

/// The same as `serving` says. Upgraded connections are to end by themselves when `shutdown` is ordered; they are waited
/// for within the same bound.
pub async fn serve_with(
    serving: Serving,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) {
    let places = Places::new(
        serving.connections_max,
        serving.per_address_max,
        serving.proxies.clone(),
    );
    let mut background = JoinSet::new();
    if let Some(tls) = serving.tls.clone() {
        background.spawn(tls.follow());
    }
    let (tracker, cut_off) = (TaskTracker::new(), CancellationToken::new());
    let on_refused = Arc::clone(&serving.on_refused);
    let connections = Arc::new(Connections::new(serving, router, shutdown.clone()));
    loop {
        let accepting = async { (places.permit().await, listener.accept().await) };
        let (permit, accepted) = tokio::select! {
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
        let Some(place) = places.place(permit, tracker.token(), peer.ip()) else {
            let cause = RefusedCause::TooMany;
            on_refused(Refused { peer, cause });
            continue;
        };
        set_nodelay(&stream);
        let (connections, cut) = (Arc::clone(&connections), cut_off.clone());
        tracker.spawn(async move {
            let served = connections.serve(stream, peer, place);
            tokio::select! { () = served => {}, () = cut.cancelled() => {} }
        });
    }
    drop(listener);
    tracker.close();
    if tokio::time::timeout(DRAIN_MAX, tracker.wait()).await.is_err() {
        tracing::warn!("some requests took too long to end and are cut off");
    }
    cut_off.cancel();
    tracker.wait().await;
}

fn set_nodelay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
    }
}
