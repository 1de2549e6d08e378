//! Revocation (RFC 7009): a refresh token ends its session, an access token is itself revoked.

use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};
use shared::token::{AudienceRule, Verified};

use super::OAuthError;
use crate::app::App;
use crate::client::Client;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::session::{self, EndReason, Ending};
use crate::sign_in::LOGIN_CLIENT;
use crate::{enforcement, outbox};

/// Revokes a token of the client that asks; `None` for first-party sign-in, where possession is enough.
///
/// A token that is unknown, expired or revoked already is as good as revoked (§2.2). Whatever the hint says, every kind of
/// token is looked for (§2.1): they differ in their form, so that this costs nothing.
pub(super) async fn revoke(
    app: &App,
    context: &RequestContext,
    client: Option<&Client>,
    token: &str,
) -> Result<(), OAuthError> {
    let client_id = client.map_or(LOGIN_CLIENT, |client| client.id.as_str());
    if end_session(app, context, client_id, token).await? {
        return Ok(());
    }
    enforcement::catch_up(&app.database, &app.guard, app.now()).await?;
    match app.guard.admit(token, AudienceRule::Either) {
        Ok(verified) => revoke_access(app, context, client_id, &verified).await,
        // It may be good: a success would be a lie.
        Err(rejection) if rejection.refusal.is_ours() => {
            Err(OAuthError::Failed(ApiError::TokenRefused(rejection.refusal)))
        }
        Err(_) => Ok(()),
    }
}

/// Ends the session of a refresh token, whichever of its row it is; `false` if it is none.
async fn end_session(
    app: &App,
    context: &RequestContext,
    client_id: &str,
    token: &str,
) -> Result<bool, OAuthError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let Some(named) = session::named_by(&mut tx, app, token, now).await? else {
        return Ok(false);
    };
    if named.client_id != client_id {
        return Err(OAuthError::InvalidGrant);
    }
    let actor = named.actor();
    let ending = Ending {
        context,
        actor: &actor,
        reason: EndReason::Client,
        decision: None,
        now,
    };
    session::end(&mut tx, &named.sid, &ending).await?;
    app.database.commit(tx).await?;
    Ok(true)
}

/// The session goes on: its client has asked for the end of this token and not of the grant.
async fn revoke_access(
    app: &App,
    context: &RequestContext,
    client_id: &str,
    verified: &Verified,
) -> Result<(), OAuthError> {
    let (Some(own), Some(jti)) = (&verified.client_id, &verified.jti) else {
        return Ok(());
    };
    if own != client_id {
        return Err(OAuthError::InvalidGrant);
    }
    let now = app.now();
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_TOKEN_REVOKED,
            Outcome::Success,
            verified.actor(),
        )
        .because(EndReason::Client.as_str())
        .with_detail("jti", jti.as_str());
    let mut tx = app.database.write().await?;
    outbox::append(&mut tx, now, facts).await?;
    enforcement::append(&mut tx, &Target::Jti(jti.clone()), now).await?;
    app.database.commit(tx).await?;
    Ok(())
}
