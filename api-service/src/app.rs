//! The router: two end points for operators, the door for everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use shared::http::health::Readiness;

use crate::door::{Door, handler};

/// The router of a door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/healthz", get(healthz).fallback(handler::handle))
        .route("/readyz", get(readyz).fallback(handler::handle))
        .fallback(handler::handle)
        .with_state(door)
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "readHealth",
    tag = "operation",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain"))
)]
pub(crate) async fn healthz() -> impl IntoResponse {
    shared::http::health::healthz().await
}

/// Ready when tokens can be decided on, be it those of one issuer of several: what another one's outage refuses is told to its
/// callers alone. The broker is no part of it: events wait in the spool.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readReadiness",
    tag = "operation",
    responses((status = 200, description = "Ready", body = Object), (status = 503, description = "Not ready", body = Object))
)]
pub(crate) async fn readyz(State(door): State<Arc<Door>>) -> Readiness {
    Readiness::of([
        ("keys", door.gate.guard.has_keys()),
        ("revocations", !door.gate.guard.is_blind()),
    ])
    .noting("keys_of_all", door.gate.guard.has_all_keys())
    .noting("keys_fresh", !door.gate.guard.has_stale_keys())
}
