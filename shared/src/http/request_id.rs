//! The id that ties a request's answer, logs and events together.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::client_addr::is_trusted;
use crate::clock::{Clock as _, SystemClock};
use crate::event::event_id;

/// The header that carries it.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id taken from a trusted proxy.
const LENGTH_MAX: usize = 128;

/// The request's id: that of a trusted proxy if it is plain, otherwise a fresh one.
pub fn request_id(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let given = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            !id.is_empty() && id.len() <= LENGTH_MAX && id.bytes().all(plain) && is_trusted(peer, trusted)
        });
    given.map_or_else(|| event_id(SystemClock.now()).to_string(), str::to_owned)
}
