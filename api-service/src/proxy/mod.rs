//! Forwards a request that was let in to its upstream, and streams the answer back.

mod forward;
mod headers;

use std::net::IpAddr;

use axum::response::Response;
use shared::token::Verified;

use crate::policy::Upstream;
pub(crate) use forward::forward;

/// Marks an answer whose body is still on its way from the upstream.
#[derive(Clone, Copy, Debug)]
struct Streaming;

/// Whether the body of an upstream's answer is still on its way.
pub(crate) fn is_streaming(response: &Response) -> bool {
    response.extensions().get::<Streaming>().is_some()
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
    /// The request's body broke off or is not well formed.
    #[error("the request's body could not be read")]
    RequestBody,
    /// No connection, or it broke before an answer.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// A short answer broke off.
    #[error("the upstream broke off its answer")]
    Broken,
    /// The upstream has no server, or its address and the path make no URI.
    #[error("the upstream has no usable server")]
    NoServer,
}
