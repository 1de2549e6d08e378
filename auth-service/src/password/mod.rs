//! Passwords: what makes one acceptable, how it is hashed within a memory budget, and setting one.

mod handler;
mod hasher;
mod phc;
mod rule;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use hasher::{Hasher, HashingError};
pub(crate) use rule::{PASSWORD_BYTES_MAX, Weakness, check};

/// `POST /v1/password`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::set_password))
}
