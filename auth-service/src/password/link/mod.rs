//! The link with which a user sets a password, the first or another one: what administrators give to people.

mod handler;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// The page that links lead to, below `/oauth/`.
const PAGE: &str = "password";

/// The link for a one-time password token. The host is the issuer's, never that of a request.
pub(crate) fn link(issuer: &str, token: &str) -> String {
    format!("{issuer}/oauth/{PAGE}?token={token}")
}

/// `/oauth/password`.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::ask_for_password, handler::take_password))
}
