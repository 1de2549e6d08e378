//! Reading the log: `GET /v1/events` and `GET /v1/events/{id}`.

mod body;
mod cursor;
mod filter;
mod handler;
mod statement;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use body::{Content, EventBody, EventPage, Numbered};
pub use cursor::{Cursor, InvalidCursor};
pub use filter::{Filter, InvalidParameter, Period, Search};
pub(crate) use statement::{Statement, Value, bound};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_events))
        .routes(routes!(handler::read_event))
}
