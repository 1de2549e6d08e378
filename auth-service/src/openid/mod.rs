//! OpenID Connect on top of the code flow: the ID token, who the user is, and what is offered.

mod handler;
mod id_token;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use id_token::{IdTokenFacts, id_token};

/// `/oauth/userinfo` and `GET /.well-known/openid-configuration`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_user, handler::read_user_by_post))
        .routes(routes!(handler::read_configuration))
}
