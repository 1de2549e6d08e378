//! Tickets: a password that was right, of a user who still has to show a second factor. A ticket opens nothing by itself; it is
//! good for five minutes and one sign-in, for the client and the audience that it was got for, and for the password that it was got with.

mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Identity, Outcome, action};

use super::Proven;
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::outbox;
use crate::request::RequestContext;
use crate::secret::{fresh_token, sha256};
use crate::user::{self, Account};

/// How long a ticket is good.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);

/// What its tickets begin with, for people and secret scanners.
const PREFIX: &str = "mfa_";

/// What somebody signs in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) audience: &'a str,
}

/// The ticket with which the user goes on to its second factor; `None` if it has none and is signed in by its password.
pub(crate) async fn issue(
    app: &App,
    context: &RequestContext,
    proven: &Proven,
    destination: &Destination<'_>,
) -> Result<Option<String>, ApiError> {
    let (now, account) = (app.now(), &proven.authentication.account);
    // Who has one only since the password was looked up gets neither: what is opened for a password asks once more.
    if !account.has_second_factor {
        return Ok(None);
    }
    let ticket = fresh_token(PREFIX).map_err(Internal::from)?;
    let new = store::NewTicket {
        hash: sha256(&ticket),
        user_id: &account.id,
        password_digest: account.password_digest(),
        destination,
        expires_at: now.plus(LIFETIME),
    };
    let mut tx = app.database.write().await?;
    user::lock(&mut tx, &account.id).await?;
    store::insert(&mut tx, &new).await?;
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_MFA_CHALLENGE,
            Outcome::Success,
            claimed(account, destination.client_id),
        )
        .with_detail("aud", destination.audience)
        .with_detail("expires_at", new.expires_at.to_string());
    outbox::append(&mut tx, now, facts).await?;
    proven.succeeded(&mut tx, now).await?;
    app.database.commit(tx).await?;
    Ok(Some(ticket))
}

/// The user of a ticket that is good for `client_id`, if its password is still the one that was right, and the audience.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    ticket: &str,
    client_id: &str,
    now: UtcMicros,
) -> Result<Option<(Account, String)>, ApiError> {
    let Some(found) = store::find(tx, &sha256(ticket), client_id, now).await? else {
        return Ok(None);
    };
    let is_good =
        |account: &Account| !account.is_disabled && account.password_digest() == found.password_hash_digest;
    let account = user::find(tx, &found.user_id).await?.filter(is_good);
    Ok(account.map(|account| (account, found.audience)))
}

/// Uses a ticket up; `false` if that was done before. Of two who try at once only one succeeds.
pub(super) async fn consume(tx: &mut Tx<'_>, ticket: &str) -> Result<bool, ApiError> {
    Ok(store::delete(tx, &sha256(ticket)).await?)
}

/// Whom events name before the second factor: what was proved is not enough.
pub(super) fn claimed(account: &Account, client_id: &str) -> Actor {
    Actor {
        identity: Identity::Claimed,
        sub: Some(account.id.clone()),
        username: Some(account.username.clone()),
        client_id: Some(client_id.to_owned()),
        ..Actor::default()
    }
}

/// Deletes what has expired.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_expired(&mut tx, app.now()).await?;
    Ok(app.database.commit(tx).await?)
}
