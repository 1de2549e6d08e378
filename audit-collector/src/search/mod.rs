//! Reading the log: `GET /v1/events` and `GET /v1/events/{id}`.

mod body;
mod cursor;
mod filter;
mod handler;
mod statement;
mod store;

use axum::Router;
use axum::routing::get;

use crate::app::AppState;
pub use body::{Content, EventBody, EventPage, Numbered};
pub use cursor::{Cursor, InvalidCursor};
pub use filter::{Filter, InvalidParameter, Period, Search};
pub(crate) use statement::{Statement, Value, bound};

/// The routes of this capability.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/v1/events", get(handler::list_events))
        .route("/v1/events/{id}", get(handler::read_event))
}
