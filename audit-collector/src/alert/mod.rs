//! Alerts: what the detection found, kept once for each fingerprint.

mod body;
mod cursor;
mod event;
mod handler;
mod lifecycle;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use body::{AlertBody, AlertPage};
pub use event::draft;
pub(crate) use handler::{existing, parse_fingerprint};
pub(crate) use lifecycle::InvalidChange;
pub use lifecycle::{AlertStatus, Verdict};
pub(crate) use store::{alert as read, firings, keep, retold, told_in, untold, withdraw};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_alerts))
        .routes(routes!(handler::read_alert))
        .merge(lifecycle::routes())
}
