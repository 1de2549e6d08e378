//! Clients: who may ask for tokens, how they prove it, and what they may get.

mod administer;
mod assertion;
mod authenticate;
mod body;
pub(crate) mod command;
mod console;
mod credentials;
mod handler;
mod model;
mod registration;
pub(crate) mod responder;
pub(crate) mod secret;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
pub(crate) use authenticate::{authenticate, authenticate_introspector};
pub(crate) use model::{Client, GrantType, Kind};
use shared::database::Tx;
pub(crate) use store::{delete, find, insert, owned_by};

/// `/v1/admin/clients`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_clients, handler::create_client))
        .routes(routes!(
            handler::read_client,
            handler::update_client,
            handler::delete_client
        ))
        .routes(routes!(handler::create_secret))
        .routes(routes!(handler::delete_secret))
}

/// The client of that id, registered or built in.
pub(crate) async fn find_any(app: &App, tx: &mut Tx<'_>, id: &str) -> Result<Option<Client>, ApiError> {
    if id == console::CONSOLE_CLIENT {
        return Ok(Some(console::console(&app.mint_rules.issuer)));
    }
    find(tx, id).await
}

/// The id of a client: never to be mistaken for that of a user (RFC 9700 §4.15).
pub(crate) fn fresh_id() -> String {
    format!("cli_{}", uuid::Uuid::new_v4().simple())
}

/// Deletes what is over.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    assertion::purge(app).await
}
