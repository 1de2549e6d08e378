//! The router: two end points for operators, the door for everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use shared::http::health::{Readiness, healthz};

use crate::door::{Door, handler};

/// The router of a door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/healthz", get(healthz).fallback(handler::handle))
        .route("/readyz", get(readyz).fallback(handler::handle))
        .fallback(handler::handle)
        .with_state(door)
}

/// Ready when tokens can be decided on. The broker is no part of it: events wait in the spool.
async fn readyz(State(door): State<Arc<Door>>) -> Readiness {
    Readiness::of([
        ("keys", door.gate.guard.has_all_keys()),
        ("revocations", !door.gate.guard.is_blind()),
    ])
}
