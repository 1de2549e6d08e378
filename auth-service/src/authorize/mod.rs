//! The authorization code flow (RFC 6749 §4.1) with PKCE: how a client gets tokens for a user without seeing its password.
//!
//! A request is read whole before anything is done for it (`request`). What comes next is one pure decision (`step`). Nothing
//! of a flow is kept between its pages: each form carries the request in its address, and a proof that it came from here.

mod code;
mod extract;
mod flow;
mod handler;
mod parameters;
mod party;
mod pkce;
mod redeem;
mod redirect_uri;
mod request;
mod return_address;
pub(crate) mod scope;
mod second_factor;
mod sign_in;
mod step;
mod store;
mod visit;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use code::purge;
pub(crate) use pkce::METHOD as PKCE_METHOD;
pub(crate) use redeem::{Presentation, redeem};
pub(crate) use request::{AuthorizationRequest, Distrust};
pub(crate) use store::{sessions_of_browser, sessions_of_client, void};
pub(crate) use visit::Visit;

/// `/oauth/authorize` and the forms of its pages.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::authorize, handler::authorize_by_form))
        .routes(routes!(handler::sign_in))
        .routes(routes!(handler::second_factor))
        .routes(routes!(handler::consent))
}
