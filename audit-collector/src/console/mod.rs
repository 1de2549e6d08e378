//! The console: the page for people. Static files that are compiled in; everything it shows it asks for by the same end
//! points as everybody else.

mod asset;
mod handler;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

/// `/console/`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::redirect_to_console))
        .routes(routes!(handler::read_page))
        .routes(routes!(handler::read_file))
}
