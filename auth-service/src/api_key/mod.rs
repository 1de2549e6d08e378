//! API keys: clients that act for one user, with no more than some of its scopes, until a day that was named.
//!
//! A key is exchanged for a short token at `/oauth/token` like any client's secret, so that what ends a client or a user
//! ends it as well.

pub(crate) mod command;
mod handler;
mod manage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// `/v1/api-keys`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_keys, handler::create_key))
        .routes(routes!(handler::delete_key))
}
