//! Searches that are kept under a name: each reader's own, and those that are there for everybody.

mod handler;
mod question;
mod store;

use serde::Serialize;
use shared::clock::UtcMicros;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::AppState;
use question::Question;

/// Searches of one owner at most.
const OWN_MAX: i64 = 100;

/// Searches that are there for everybody at most, so that a list is one answer.
const SHARED_MAX: i64 = 500;

/// A search that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SavedSearch {
    /// Its id.
    id: Uuid,
    /// The subject of whoever made it.
    owner: String,
    /// What it asks.
    #[serde(flatten)]
    question: Question,
    /// What `If-Match` names, in quotation marks.
    version: i64,
    /// When it was made.
    made_at: UtcMicros,
    /// When it was last changed.
    changed_at: UtcMicros,
}

/// Why a search is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoRoom {
    /// Its owner has another one of that name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
}

/// The routes of this capability.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_searches, handler::add_search))
        .routes(routes!(
            handler::read_search,
            handler::change_search,
            handler::delete_search
        ))
}
