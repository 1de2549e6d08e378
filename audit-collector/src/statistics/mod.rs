//! Counting the log: `GET /v1/stats/summary`.

mod handler;
mod store;
mod summary;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use summary::{Count, Summary};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::read_summary))
}
