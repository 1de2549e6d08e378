//! Sign-out: the session ends, and every verifier hears that its tokens are void.

use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};

use super::store::{self, EndReason};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, RequestContext};
use crate::{enforcement, outbox};

/// Ends the caller's session. A token without one, such as a machine's, is itself revoked.
pub(super) async fn log_out(app: &App, context: &RequestContext, caller: &Caller) -> Result<(), ApiError> {
    let now = app.now();
    let verified = &caller.0;
    let mut tx = app.database.write().await?;
    let target = match (&verified.sid, &verified.jti) {
        (Some(sid), _) => {
            store::end(&mut tx, sid, EndReason::Logout, now).await?;
            Target::Sid(sid.clone())
        }
        (None, Some(jti)) => Target::Jti(jti.clone()),
        (None, None) => return Err(ApiError::TokenMissing),
    };
    let facts = context.facts(
        Class::Auth,
        action::AUTHN_LOGOUT,
        Outcome::Success,
        caller.actor(),
    );
    outbox::append(&mut tx, now, facts).await?;
    enforcement::append(&mut tx, &target, now).await?;
    Ok(app.database.commit(tx).await?)
}
