//! Counting the log: `GET /v1/stats/summary`.

mod handler;
mod store;
mod summary;

use axum::Router;
use axum::routing::get;

use crate::app::AppState;
pub use summary::{Count, Summary};

/// The routes of this capability.
pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/v1/stats/summary", get(handler::read_summary))
}
