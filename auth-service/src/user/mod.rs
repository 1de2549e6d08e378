//! Users, their roles, and making them.

mod handler;
mod name;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use name::Username;
pub(crate) use store::{Account, NewUser, find, find_by_name, has_administrator, insert, set_password};

/// The role of administrators.
pub(crate) const ADMIN_ROLE: &str = "admin";

/// The scope that administration needs.
pub(crate) const ADMIN_SCOPE: &str = "admin";

/// `POST /v1/admin/users`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::create_user))
}

/// The id of a user: never to be mistaken for that of a client (RFC 9700 §4.15).
pub(crate) fn fresh_id() -> String {
    format!("usr_{}", uuid::Uuid::new_v4().simple())
}
