//! What events say about a request to the collector.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{HOST, USER_AGENT, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use shared::clock::UtcMicros;
use shared::event::{ClientFacts, HttpFacts, TraceFacts, bounded};
use shared::http::client_addr::client_addr;
use shared::http::request_id::{X_REQUEST_ID, request_id};
use shared::http::serve::PeerAddr;

use crate::app::AppState;

// The bounds of `shared::event`, in bytes.
const METHOD_BYTES_MAX: usize = 32;
const HOST_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 1024;
const USER_AGENT_BYTES_MAX: usize = 512;

/// The length of W3C's `traceparent` of version 0; anything longer is not believed.
const TRACEPARENT_BYTES_MAX: usize = 55;

/// What events say about a request, before it is answered.
#[derive(Clone, Debug)]
pub(crate) struct RequestFacts {
    pub(crate) received_at: UtcMicros,
    pub(crate) client: ClientFacts,
    pub(crate) http: HttpFacts,
    pub(crate) trace: TraceFacts,
}

impl RequestFacts {
    fn of(parts: &Parts, app: &AppState) -> Self {
        let peer = parts
            .extensions
            .get::<PeerAddr>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let header = |name: &str, bytes_max: usize| {
            let text = parts.headers.get(name)?.to_str().ok()?;
            Some(bounded(text, bytes_max))
        };
        Self {
            received_at: app.clock.now(),
            client: ClientFacts {
                ip: Some(client_addr(peer, &parts.headers, &app.trusted_proxies).to_string()),
                peer_ip: Some(peer.to_canonical().to_string()),
                user_agent: header(USER_AGENT.as_str(), USER_AGENT_BYTES_MAX),
            },
            http: HttpFacts {
                method: bounded(parts.method.as_str(), METHOD_BYTES_MAX),
                host: header(HOST.as_str(), HOST_BYTES_MAX),
                route: None,
                path: bounded(parts.uri.path(), PATH_BYTES_MAX),
                ..HttpFacts::default()
            },
            trace: TraceFacts {
                request_id: request_id(peer, &parts.headers, &app.trusted_proxies),
                traceparent: header("traceparent", TRACEPARENT_BYTES_MAX),
            },
        }
    }

    /// The same with the route that matched.
    #[must_use]
    pub(crate) fn on_route(mut self, route: Option<&MatchedPath>) -> Self {
        self.http.route = route.map(|route| route.as_str().to_owned());
        self
    }
}

/// Gives every request its id, which its answer carries too.
pub(crate) async fn note_request(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (mut parts, body) = request.into_parts();
    let (method, route) = (
        parts.method.clone(),
        parts.extensions.get::<MatchedPath>().cloned(),
    );
    let facts = RequestFacts::of(&parts, &app);
    let request_id = HeaderValue::from_str(&facts.trace.request_id);
    parts.extensions.insert(facts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    app.answers
        .count(&method, route, response.status(), begun.elapsed());
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(request_id) = request_id {
        headers.insert(X_REQUEST_ID, request_id);
    }
    response
}
