//! Sessions: opened by a sign-in, kept by refreshing, ended by a sign-out. A session is also the family of its refresh tokens.

mod handler;
mod logout;
mod open;
mod refresh;
mod refresh_token;
mod refuse;
mod rotation;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use open::{NewGrant, open};
pub(crate) use refresh::{Presented, RefreshError, refresh};
pub(crate) use refresh_token::RefreshTokenKey;

/// `POST /v1/logout`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::log_out))
}
