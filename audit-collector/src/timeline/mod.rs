//! The life of a session, a token or a user: `GET /v1/timeline`, from the sign-in to the first refusal after the end.

mod handler;
mod store;
mod story;
mod subject;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use story::{Story, Summary};
pub use subject::{Subject, Timeline};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::read_timeline))
}
