//! Whether the process lives and whether it can serve.

mod handler;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// `/healthz` and `/readyz`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(shared::http::health::healthz))
        .route("/readyz", get(handler::readyz))
}
