//! What becomes of an alert: who looks after it, what it turned out to be, and what was noted on the way.

mod body;
mod handler;
mod standing;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub(super) use body::AlertCase;
pub(crate) use standing::InvalidChange;
pub use standing::{AlertStatus, Verdict};
pub(super) use store::{history, notes};

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::change_alert))
        .routes(routes!(handler::add_note))
}
