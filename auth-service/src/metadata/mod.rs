//! What clients can find out about this authorization server (RFC 8414): only what works.

mod document;
mod handler;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use document::{Metadata, document};

/// `GET /.well-known/oauth-authorization-server`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_metadata))
        .routes(routes!(handler::read_metadata_of_path))
}
