//! The client that asks, as far as authorization is concerned with it.

use shared::database::Tx;

use crate::app::App;
use crate::client::{self, GrantType};
use crate::error::ApiError;

/// A client that may ask for codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Ours: nobody is asked whether it may.
    pub(crate) is_ours: bool,
    pub(crate) redirect_uris: Vec<String>,
    /// Scopes that it may ask for, beside those of OpenID Connect.
    pub(crate) scopes: Vec<String>,
    /// The first is the one it gets if it asks for none.
    pub(crate) audiences: Vec<String>,
}

/// The client of that id, if it may ask for codes.
pub(super) async fn find(app: &App, tx: &mut Tx<'_>, id: &str) -> Result<Option<Party>, ApiError> {
    let client = client::find_any(app, tx, id).await?;
    let able = client.filter(|client| !client.disabled && client.may(GrantType::AuthorizationCode));
    Ok(able.map(|client| Party {
        id: client.id,
        name: client.name,
        is_ours: client.is_first_party,
        redirect_uris: client.redirect_uris,
        scopes: client.scopes,
        audiences: client.audiences,
    }))
}
