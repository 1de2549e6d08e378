//! Which headers an upstream gets of a request that is let in.

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use shared::token::Verified;

use crate::policy::Upstream;
use crate::proxy::{Outgoing, outgoing_headers};

/// Turns the `headers` of a request by `caller` into those that `upstream` would get of one that came by https from
/// `127.0.0.1` for no host, with the id `example`.
pub fn sent_on(upstream: &Upstream, caller: Option<&Verified>, mut headers: HeaderMap) -> HeaderMap {
    let outgoing = Outgoing {
        upstream,
        path: "/",
        forward_token: false,
        caller,
        client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        scheme: "https",
        host: None,
        request_id: "example",
    };
    outgoing_headers(&mut headers, &outgoing);
    headers
}
