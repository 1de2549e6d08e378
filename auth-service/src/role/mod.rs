//! Roles: names for what users may do, each with its scopes.

mod administer;
pub(crate) mod command;
mod handler;
mod name;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use name::Scope;

/// `/v1/admin/roles`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_roles, handler::create_role))
        .routes(routes!(handler::update_role, handler::delete_role))
}
