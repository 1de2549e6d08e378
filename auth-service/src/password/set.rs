//! Setting a password with a one-time token, for whoever asks: a program or a form.

use shared::event::{Actor, Identity};

use super::check;
use super::replace::{By, replace};
use crate::app::App;
use crate::error::ApiError;
use crate::one_time_token::{self, Purpose};
use crate::request::RequestContext;
use crate::user::{self, Account};

/// The user that a good token was made for.
pub(super) async fn find_account(app: &App, token: &str) -> Result<Option<Account>, ApiError> {
    let mut tx = app.database.read().await?;
    match one_time_token::find(&mut tx, Purpose::Password, token, app.now()).await? {
        Some(Some(user_id)) => Ok(user::find(&mut tx, &user_id).await?),
        Some(None) | None => Ok(None),
    }
}

/// Sets the password of the user that `token` was made for, uses the token up, and ends every session of the user. A password
/// that is refused does not use the token up.
pub(super) async fn set_with_token(
    app: &App,
    context: &RequestContext,
    token: &str,
    password: String,
) -> Result<(), ApiError> {
    let Some(account) = find_account(app, token).await? else {
        return Err(one_time_token::refuse(app, context, Purpose::Password).await);
    };
    check(app, &password, &account.username).await?;
    let hash = app.hasher.hash(password).await?;
    let now = app.now();
    let mut tx = app.database.write().await?;
    if !one_time_token::consume(&mut tx, Purpose::Password, token, now).await? {
        drop(tx);
        return Err(one_time_token::refuse(app, context, Purpose::Password).await);
    }
    let actor = Actor {
        identity: Identity::Verified,
        sub: Some(account.id.clone()),
        username: Some(account.username.clone()),
        ..Actor::default()
    };
    let by = By {
        context,
        actor: &actor,
        proof: "one_time_token",
        keeps: None,
    };
    replace(&mut tx, app, &account, &hash, &by).await?;
    Ok(app.database.commit(tx).await?)
}
