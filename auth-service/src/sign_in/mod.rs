//! Sign-in: who proves to be whom, and by what. What is opened for it, a session or a page's cookie, is the caller's.

mod authentication;
mod handler;
mod password;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use authentication::{Authentication, Method};
pub(crate) use password::{password, refuse};

/// The client of first-party sign-in.
pub(crate) const LOGIN_CLIENT: &str = "gatelog-login";

/// `POST /v1/login`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::log_in))
}
