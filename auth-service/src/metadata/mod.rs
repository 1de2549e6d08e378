//! What clients can find out about this authorization server (RFC 8414): only what works.

mod handler;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// `GET /.well-known/oauth-authorization-server`.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(
        "/.well-known/oauth-authorization-server",
        get(handler::read_metadata),
    )
}
