//! What is known of a request when it arrives.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use http::HeaderName;
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use ipnet::IpNet;
use shared::event::{ClientFacts, HttpFacts, TraceFacts, bounded};
use shared::http::client_addr::{client_addr, client_scheme};
use shared::http::request_id::request_id;
use shared::http::serve::OverTls;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// When its head was read.
    pub(crate) started: Instant,
    /// Its id, which its answer and all its events carry.
    pub(crate) request_id: String,
    /// The host asked for, as it was written.
    pub(crate) host: Option<String>,
    /// The address of the client.
    pub(crate) client_ip: IpAddr,
    /// What the client spoke: `http` or `https`.
    pub(crate) scheme: &'static str,
    peer: IpAddr,
}

/// Who sent a request, and by whose word.
#[derive(Debug)]
pub(crate) struct Sender {
    /// The address of the connection itself.
    pub(crate) peer: IpAddr,
    /// The address of the client.
    pub(crate) client_ip: IpAddr,
    /// What the client spoke: `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The request's id.
    pub(crate) request_id: String,
}

impl Sender {
    /// The sender by the word of `trusted_proxies`, if the request came from one of them.
    pub(crate) fn of(parts: &Parts, peer: IpAddr, trusted_proxies: &[IpNet]) -> Self {
        let headers = &parts.headers;
        Self {
            peer,
            client_ip: client_addr(peer, headers, trusted_proxies),
            scheme: client_scheme(
                peer,
                headers,
                trusted_proxies,
                parts.extensions.get::<OverTls>().is_some(),
            ),
            request_id: request_id(peer, headers, trusted_proxies),
        }
    }
}

impl Arrival {
    /// Takes down a request's head.
    pub(crate) fn of(parts: &Parts, sender: Sender) -> Self {
        let authority = parts.uri.authority().map(|authority| authority.as_str().into());
        let host = authority.or_else(|| text(parts, HOST));
        Self {
            started: Instant::now(),
            request_id: sender.request_id,
            host: host.map(|host| without_userinfo(host.into_owned())),
            client_ip: sender.client_ip,
            scheme: sender.scheme,
            peer: sender.peer,
        }
    }

    /// Where the request came from.
    pub(super) fn client_facts(&self, parts: &Parts) -> ClientFacts {
        let user_agent = text(parts, USER_AGENT);
        ClientFacts {
            ip: Some(self.client_ip.to_string()),
            peer_ip: Some(self.peer.to_canonical().to_string()),
            user_agent: user_agent.map(|agent| bounded(&agent, ClientFacts::USER_AGENT_BYTES_MAX)),
        }
    }

    /// The request without its answer. What a stranger wrote is cut to length.
    pub(super) fn http_facts(&self, parts: &Parts) -> HttpFacts {
        let host = self.host.as_deref();
        HttpFacts {
            method: bounded(parts.method.as_str(), HttpFacts::METHOD_BYTES_MAX),
            host: host.map(|host| bounded(host, HttpFacts::HOST_BYTES_MAX)),
            path: bounded(parts.uri.path(), HttpFacts::PATH_BYTES_MAX),
            ..HttpFacts::default()
        }
    }

    /// What ties the request's records together.
    pub(super) fn trace_facts(&self, parts: &Parts) -> TraceFacts {
        let traceparent = parts.headers.get("traceparent");
        TraceFacts {
            request_id: self.request_id.clone(),
            traceparent: traceparent
                .and_then(|value| value.to_str().ok())
                .filter(|text| text.len() == TraceFacts::TRACEPARENT_LENGTH)
                .map(str::to_owned),
        }
    }
}

/// A header as text, whatever bytes it has.
fn text(parts: &Parts, name: HeaderName) -> Option<Cow<'_, str>> {
    let value = parts.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()))
}

/// What stands before an `@` may be a name and a password (RFC 3986 §3.2.1), and is none of the host.
fn without_userinfo(authority: String) -> String {
    match authority.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None => authority,
    }
}
