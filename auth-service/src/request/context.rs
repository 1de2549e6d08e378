//! Where a request came from and what ties its records together.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::USER_AGENT;
use http::request::Parts;
use ipnet::IpNet;
use shared::event::{Actor, Class, ClientFacts, Facts, Outcome, TraceFacts, bounded};
use shared::http::client_addr::client_addr;
use shared::http::request_id::request_id;
use shared::http::serve::PeerAddr;

use crate::error::{ApiError, Internal};

/// The longest user agent that is kept, in bytes (DESIGN §4).
const USER_AGENT_MAX: usize = 512;

/// The length of a W3C `traceparent` of version 00.
const TRACEPARENT_LENGTH: usize = 55;

/// The facts about a request that go into its events.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) client: ClientFacts,
    pub(crate) trace: TraceFacts,
}

impl RequestContext {
    /// Reads them from the head of a request. Forwarded addresses and ids count only from trusted proxies.
    pub(crate) fn of(parts: &Parts, trusted: &[IpNet]) -> Self {
        let peer = parts
            .extensions
            .get::<PeerAddr>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let headers = &parts.headers;
        let user_agent = headers
            .get(USER_AGENT)
            .map(|value| bounded(&String::from_utf8_lossy(value.as_bytes()), USER_AGENT_MAX));
        Self {
            client: ClientFacts {
                ip: Some(client_addr(peer, headers, trusted).to_string()),
                peer_ip: Some(peer.to_canonical().to_string()),
                user_agent,
            },
            trace: TraceFacts {
                request_id: request_id(peer, headers, trusted),
                traceparent: traceparent(headers),
            },
        }
    }

    /// For what nobody asked for over HTTP: a command, or a task of the service itself.
    pub(crate) fn without_request() -> Self {
        Self {
            client: ClientFacts::default(),
            trace: TraceFacts {
                request_id: uuid::Uuid::new_v4().to_string(),
                traceparent: None,
            },
        }
    }

    /// Facts of something that this request did.
    pub(crate) fn facts(&self, class: Class, action: &str, outcome: Outcome, actor: Actor) -> Facts {
        Facts {
            actor,
            client: Some(self.client.clone()),
            trace: Some(self.trace.clone()),
            ..Facts::new(class, action, outcome)
        }
    }
}

/// The trace context, if it is of the form that W3C Trace Context §3.2 gives version 00.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    (text.len() == TRACEPARENT_LENGTH && text.starts_with("00-") && text.bytes().all(plain))
        .then(|| text.to_owned())
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let entered = parts.extensions.get::<Self>().cloned();
        entered.ok_or(ApiError::Internal(Internal::NotEntered))
    }
}
