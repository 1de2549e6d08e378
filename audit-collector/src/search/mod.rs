//! Reading the log: `GET /v1/events` and `GET /v1/events/{id}`, and searches that are kept (`/v1/searches`).

mod body;
mod condition;
mod cursor;
mod field;
mod filter;
mod handler;
mod language;
mod parameters;
mod quantity;
mod saved;
mod statement;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use body::{Content, EventBody, EventPage, Numbered};
pub(crate) use condition::{Detail, Name, OWN_PATHS, TEXT_CHARACTERS_MAX};
pub use cursor::{Cursor, InvalidCursor};
pub use field::Field;
pub use filter::Filter;
pub use language::InvalidFilter;
pub use parameters::{InvalidParameter, Parameters, Period, Search};
pub(crate) use quantity::whole_seconds;
pub use statement::{Dialect, Statement};
pub(crate) use statement::{SELECT, Value, bound};
pub(crate) use store::{Found, found};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_events))
        .routes(routes!(handler::read_event))
        .merge(saved::routes())
}
