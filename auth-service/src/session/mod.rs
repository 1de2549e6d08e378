//! Sessions: opened by a sign-in, kept by refreshing, ended by a sign-out. A session is also the family of its refresh tokens.

pub(crate) mod command;
mod device;
mod end;
mod handler;
mod logout;
mod manage;
mod named;
mod open;
mod refresh;
mod refresh_token;
mod refuse;
mod rotation;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use end::{EndReason, Ending, end, end_all_of, end_each, has_ended};
pub(crate) use manage::purge;
pub(crate) use named::{Named, named_by};
pub(crate) use open::{NewGrant, Opened, open};
pub(crate) use refresh::{Presented, RefreshError, refresh};
pub(crate) use refresh_token::RefreshTokenKey;
pub(crate) use rotation::ABSOLUTE_MAX;

/// `POST /v1/logout`, `/v1/sessions` and `/v1/admin/sessions`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::log_out))
        .routes(routes!(handler::list_sessions))
        .routes(routes!(handler::end_session))
        .routes(routes!(handler::list_user_sessions, handler::end_user_sessions))
        .routes(routes!(handler::end_user_session))
}
