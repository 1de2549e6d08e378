//! The live tail: `GET /v1/events/stream`, the log as it grows, in its own order.
//!
//! A tail keeps its place in the log and one page of events: a reader that is slow is behind, and what it has not read
//! stays where it is stored.

mod follow;
mod handler;
mod places;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use places::Tails;

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::follow_events))
}
