//! Sign-out: the session ends, and every verifier hears that its tokens are void.

use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};

use super::end::{EndReason, Ending, end};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, RequestContext};
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Ends the caller's session. A token without one, such as a machine's, is itself revoked.
pub(super) async fn log_out(app: &App, context: &RequestContext, caller: &Caller) -> Result<(), ApiError> {
    let now = app.now();
    let verified = &caller.0;
    let mut tx = app.database.write().await?;
    let ending = Ending {
        context,
        actor: &caller.actor(),
        reason: EndReason::Logout,
        decision: None,
        now,
    };
    record_logout(&mut tx, &ending).await?;
    match (&verified.sid, &verified.jti) {
        (Some(sid), _) => {
            end(&mut tx, sid, &ending).await?;
        }
        (None, Some(jti)) => enforcement::append(&mut tx, &Target::Jti(jti.clone()), now).await?,
        (None, None) => return Err(ApiError::TokenMissing),
    }
    Ok(app.database.commit(tx).await?)
}

/// The event of a sign-out, whatever it ends.
pub(super) async fn record_logout(tx: &mut Tx<'_>, ending: &Ending<'_>) -> Result<(), ApiError> {
    let actor = ending.actor.clone();
    let facts = ending
        .context
        .facts(Class::Auth, action::AUTHN_LOGOUT, Outcome::Success, actor);
    outbox::append(tx, ending.now, facts).await
}
