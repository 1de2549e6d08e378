//! Blocks: an address, a network, a subject, a session or a token that is kept out for a time, and let in again; or a subject until it
//! signs in again.

mod administer;
pub(crate) mod command;
mod handler;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use administer::purge;

/// `/v1/admin/blocks`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_blocks, handler::create_block))
        .routes(routes!(handler::lift_block))
}
