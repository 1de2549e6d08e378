//! Users, their roles, and making them.

mod administer;
mod body;
pub(crate) mod command;
mod disabling;
mod handler;
mod name;
mod recover;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use name::{Username, key_of};
pub(crate) use store::{
    Account, NewUser, find, has_administrator, insert, lock, look_up, raise_version, renew_password,
    set_password,
};

/// The role of administrators.
pub(crate) const ADMIN_ROLE: &str = "admin";

/// The scope that administration needs.
pub(crate) const ADMIN_SCOPE: &str = "admin";

/// The scope of who carries out what is ordered about alerts, and may do nothing else of administration.
pub(crate) const ENFORCEMENT_SCOPE: &str = "enforcement:write";

/// `/v1/admin/users`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_users, handler::create_user))
        .routes(routes!(
            handler::read_user,
            handler::update_user,
            handler::delete_user
        ))
        .routes(routes!(handler::reset_password))
        .routes(routes!(handler::reset_second_factor))
}

/// The id of a user: never to be mistaken for that of a client (RFC 9700 §4.15).
pub(crate) fn fresh_id() -> String {
    format!("usr_{}", uuid::Uuid::new_v4().simple())
}
