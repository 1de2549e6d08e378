//! Another proxy asks whether a request may pass and forwards it by itself: nginx (`auth_request`), Traefik (`ForwardAuth`),
//! Caddy (`forward_auth`), Envoy (`ext_authz` over HTTP). How each is set up stands in `docs/forward-auth.md`.
//!
//! Only proxies that the settings name are answered, since a proxy's word says which request it is about. What they say is taken
//! from exactly the headers that they set on every request; where one is missing, or could be the client's, nothing is guessed.

mod answer;
pub(crate) mod handler;
mod question;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use ipnet::IpNet;

use crate::gate::Gate;

/// Where it is asked. Envoy appends the path that it asks about.
const PATH: &str = "/-/decide";

/// What all questions share.
#[derive(Debug)]
pub(crate) struct ForwardAuth {
    gate: Arc<Gate>,
    /// Who may ask.
    peers: Vec<IpNet>,
}

/// The end point, if anybody may ask.
pub(crate) fn router(gate: Arc<Gate>, peers: Vec<IpNet>) -> Router {
    if peers.is_empty() {
        return Router::new();
    }
    Router::new()
        .route(PATH, any(handler::handle))
        .route("/-/decide/", any(handler::handle))
        .route("/-/decide/{*path}", any(handler::handle))
        .with_state(Arc::new(ForwardAuth { gate, peers }))
}
