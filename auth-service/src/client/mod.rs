//! Clients: who may ask for tokens, how they prove it, and what they may get.
#![expect(dead_code, unused_imports, reason = "what administers clients follows")]

mod assertion;
mod authenticate;
mod credentials;
mod model;
pub(crate) mod secret;
mod store;

use crate::app::App;
use crate::error::ApiError;
pub(crate) use authenticate::authenticate;
pub(crate) use model::{Client, GrantType, Kind};
pub(crate) use store::find;

/// The id of a client: never to be mistaken for that of a user (RFC 9700 §4.15).
pub(crate) fn fresh_id() -> String {
    format!("cli_{}", uuid::Uuid::new_v4().simple())
}

/// Deletes what is over.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    assertion::purge(app).await
}
