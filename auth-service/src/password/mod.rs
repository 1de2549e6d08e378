//! Passwords: what makes one acceptable, how it is hashed within a memory budget, and setting one.

mod breached;
mod common;
mod cost;
mod handler;
mod hasher;
mod link;
mod phc;
mod queue;
mod replace;
mod rule;
mod set;
mod settings;
mod share;
mod verdict;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use breached::{Breached, BreachedError};
pub use cost::{HashCost, InvalidHashCost};
pub(crate) use hasher::{Hasher, HashingError};
pub(crate) use link::link;
pub(crate) use rule::{PASSWORD_BYTES_MAX, Weakness};
pub use settings::PasswordSettings;
pub(crate) use verdict::check;

/// `POST /v1/password`, `POST /v1/password/change`, and the page that links to it lead to.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::set_password))
        .routes(routes!(handler::change_password))
        .merge(link::routes())
}
