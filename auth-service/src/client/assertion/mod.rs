//! Assertions that clients sign to prove who they are (`private_key_jwt`, RFC 7523): each is good once.

mod store;

use shared::clock::UtcMicros;
use shared::token::{Assertion, KeySet, verify_assertion};

use super::model::Client;
use crate::app::App;
use crate::error::ApiError;

/// The type that RFC 7523 §2.2 gives such assertions.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an assertion may be meant for: the issuer, as RFC 7523 is to be read today, or the token end point, as clients have
/// read it before.
fn audiences(issuer: &str) -> [String; 2] {
    [issuer.to_owned(), format!("{issuer}/oauth/token")]
}

/// Whether the assertion proves that it is `client` who asks. It is used up.
pub(super) async fn proves(
    app: &App,
    client: &Client,
    assertion: &str,
    now: UtcMicros,
) -> Result<bool, ApiError> {
    let Some(verified) = verified(app, client, assertion, now) else {
        return Ok(false);
    };
    let mut tx = app.database.write().await?;
    let is_first = store::use_up(&mut tx, &client.id, &verified).await?;
    app.database.commit(tx).await?;
    Ok(is_first)
}

fn verified(app: &App, client: &Client, assertion: &str, now: UtcMicros) -> Option<Assertion> {
    let keys = KeySet::from_jwks(client.jwks.as_ref()?.as_bytes()).ok()?;
    let audiences = audiences(&app.mint_rules.issuer);
    verify_assertion(assertion, &client.id, &audiences, &keys, now).ok()
}

/// Forgets those that are refused for their age anyway.
pub(super) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_expired(&mut tx, app.now()).await?;
    Ok(app.database.commit(tx).await?)
}
