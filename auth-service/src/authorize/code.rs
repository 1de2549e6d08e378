//! Codes: 256 random bits, kept as their SHA-256, good for a minute and once.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Identity, Outcome, action};

use super::request::AuthorizationRequest;
use super::store::{self, NewCode};
use crate::app::App;
use crate::browser_session::BrowserSession;
use crate::error::{ApiError, Internal};
use crate::outbox;
use crate::request::RequestContext;
use crate::secret::{self, sha256};
use crate::session;

/// How long a code may travel (ASVS 10.4.3).
const LIFETIME: Duration = Duration::from_mins(1);

/// What codes begin with, for people and secret scanners.
const PREFIX: &str = "code_";

/// Issues a code for what was asked for.
pub(super) async fn issue(
    tx: &mut Tx<'_>,
    context: &RequestContext,
    session: &BrowserSession,
    request: &AuthorizationRequest,
    now: UtcMicros,
) -> Result<String, ApiError> {
    let code = secret::fresh_token(PREFIX).map_err(Internal::from)?;
    let new = NewCode {
        hash: sha256(&code),
        browser_session_id: &session.id,
        user_id: &session.account.id,
        request,
        expires_at: now.plus(LIFETIME),
    };
    store::insert(tx, &new).await?;
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_CODE_CREATED,
            Outcome::Success,
            actor(session, &request.party.id),
        )
        .with_detail("aud", request.audience.as_str())
        .with_detail("scope", request.scopes.join(" "))
        .with_detail("redirect_uri", request.return_address.redirect_uri.as_str());
    outbox::append(tx, now, facts).await?;
    Ok(code)
}

/// Whom the events of a flow name.
pub(super) fn actor(session: &BrowserSession, client_id: &str) -> Actor {
    Actor {
        identity: Identity::Verified,
        sub: Some(session.account.id.clone()),
        username: Some(session.account.username.clone()),
        client_id: Some(client_id.to_owned()),
        roles: session.account.roles.clone(),
        ..Actor::default()
    }
}

/// Deletes codes that nobody can use or reuse any more: a used one stays for as long as the session from it may live.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    store::delete_over(&mut tx, now, now.minus(session::ABSOLUTE_MAX)).await?;
    Ok(app.database.commit(tx).await?)
}
