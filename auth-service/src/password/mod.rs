//! Passwords: what makes one acceptable, how it is hashed within a memory budget, and setting one.

mod handler;
mod hasher;
mod phc;
mod rule;

use axum::Router;
use axum::routing::post;

use crate::app::App;
pub(crate) use hasher::{Hasher, HashingError};
pub(crate) use rule::{PASSWORD_BYTES_MAX, Weakness, check};

/// `POST /v1/password`.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/password", post(handler::set_password))
}
