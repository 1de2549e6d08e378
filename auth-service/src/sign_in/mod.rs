//! Sign-in: who proves to be whom, and by what. What is opened for it, a session or a page's cookie, is the caller's.

mod authentication;
mod handler;
mod level;
mod password;
mod proven;
mod second_factor;
pub(crate) mod ticket;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use authentication::{Authentication, Method, level_of_amr};
pub(crate) use level::Level;
pub(crate) use password::{password, refuse};
pub(crate) use proven::Proven;
pub(crate) use second_factor::{SecondStep, second_factor};
pub(crate) use ticket::Destination;

/// The client of first-party sign-in.
pub(crate) const LOGIN_CLIENT: &str = "gatelog-login";

/// `POST /v1/login` and `/v1/login/mfa`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::log_in))
        .routes(routes!(handler::log_in_by_second_factor))
}
