//! Forwards a request that was let in to its upstream, and streams the answer back.

mod answer_body;
pub(crate) mod cors;
mod forward;
mod headers;
mod metrics;
mod pause;
mod pool;
mod request_body;
mod websocket;

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use shared::token::Verified;

use crate::gate::{BodyMeter, MustEnd, Passing};
use crate::policy::{Timeouts, Upstream};
pub(crate) use forward::forward;
pub(crate) use headers::outgoing as outgoing_headers;
pub(crate) use metrics::UpstreamMetrics;
use pool::NoTurn;
pub(crate) use pool::{Change, Pool, Pools, Reporter, Standing};

/// One request and all that bounds it.
pub(crate) struct Exchange<'r> {
    /// The servers.
    pub(crate) pool: Arc<Pool>,
    /// What is sent.
    pub(crate) outgoing: Outgoing<'r>,
    /// How long it may take.
    pub(crate) timeouts: Timeouts,
    /// Whether it may become a WebSocket.
    pub(crate) websocket: bool,
    /// Watches its body.
    pub(crate) meter: &'r BodyMeter,
    /// Makes what ends an answer that takes its time.
    pub(crate) must_end: &'r (dyn Fn() -> MustEnd + Send + Sync),
}

/// What an upstream answered.
pub(crate) enum Forwarded {
    /// The whole body is here.
    Whole(Response),
    /// The body is still on its way.
    Streamed(Response),
    /// Another protocol is spoken from now on.
    Switched(Response, Passing),
}

/// What is sent where, and on whose behalf.
#[derive(Debug)]
pub(crate) struct Outgoing<'r> {
    /// The API.
    pub(crate) upstream: &'r Upstream,
    /// The path in the spelling that was decided on.
    pub(crate) path: &'r str,
    /// Whether the upstream gets the request's `Authorization`.
    pub(crate) forward_token: bool,
    /// Who calls.
    pub(crate) caller: Option<&'r Verified>,
    /// The client's address.
    pub(crate) client_ip: IpAddr,
    /// What the client spoke: `http` or `https`.
    pub(crate) scheme: &'r str,
    /// The host that the client asked for.
    pub(crate) host: Option<&'r str>,
    /// The request's id.
    pub(crate) request_id: &'r str,
}

/// Why a request was not answered by its upstream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    /// The request's body is larger than this many bytes.
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(u64),
    /// The request's body paused for too long.
    #[error("the request's body paused for too long")]
    BodyLate,
    /// The request's body broke off or is not well formed.
    #[error("the request's body could not be read")]
    RequestBody,
    /// No connection, or it broke before an answer.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// A short answer broke off, or one switched to a protocol that nobody asked for.
    #[error("the upstream broke off its answer")]
    Broken,
    /// Every server of the upstream is down.
    #[error("no server of the upstream is well")]
    AllDown,
    /// Every server of the upstream has as much open as it may.
    #[error("all servers of the upstream are busy")]
    AllBusy,
    /// The upstream has no server, or its address and the path make no URI.
    #[error("the upstream has no usable server")]
    NoServer,
}

impl From<NoTurn> for ForwardError {
    fn from(none: NoTurn) -> Self {
        match none {
            NoTurn::AllDown => Self::AllDown,
            NoTurn::AllBusy => Self::AllBusy,
        }
    }
}
