//! Whether the process lives and whether it can serve.

mod handler;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// `/healthz` and `/readyz`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::healthz))
        .routes(routes!(handler::readyz))
}
