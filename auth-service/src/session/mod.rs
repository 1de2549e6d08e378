//! Sessions: sign-in, refresh, sign-out. A session is also the family of its refresh tokens.

mod handler;
mod login;
mod logout;
mod refresh;
mod refresh_token;
mod refuse;
mod rotation;
mod store;

use axum::Router;
use axum::routing::post;

use crate::app::App;
pub(crate) use refresh::{Presented, RefreshError, refresh};
pub(crate) use refresh_token::RefreshTokenKey;

/// The client of first-party sign-in.
const LOGIN_CLIENT: &str = "gatelog-login";

/// How a password proves who someone is (RFC 8176 §2).
const AMR_PASSWORD: &str = "pwd";

/// `POST /v1/login` and `POST /v1/logout`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/login", post(handler::log_in))
        .route("/v1/logout", post(handler::log_out))
}
