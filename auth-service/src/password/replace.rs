//! Another password for a user, and the end of what the former one opened.

use shared::event::{Actor, Class, Outcome, action};

use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::request::RequestContext;
use crate::session::{self, EndReason, Ending};
use crate::throttle;
use crate::user::{self, Account};
use shared::database::Tx;

/// Who gives the user another password, and by what right.
pub(super) struct By<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) actor: &'a Actor,
    /// What was shown for it.
    pub(super) proof: &'static str,
    /// The session that goes on, if one does.
    pub(super) keeps: Option<&'a str>,
}

/// Replaces a password, and ends the sessions of the user, in the caller's transaction and as the last thing in it.
pub(super) async fn replace(
    tx: &mut Tx<'_>,
    app: &App,
    account: &Account,
    hash: &str,
    by: &By<'_>,
) -> Result<(), ApiError> {
    let now = app.now();
    user::set_password(tx, &account.id, hash).await?;
    throttle::forget_former_password(tx, app, &account.id, &account.username).await?;
    let facts = by
        .context
        .facts(
            Class::Auth,
            action::AUTHN_PASSWORD_CHANGE,
            Outcome::Success,
            by.actor.clone(),
        )
        .with_detail("by", by.proof);
    outbox::append(tx, now, facts).await?;
    let ending = Ending {
        context: by.context,
        actor: by.actor,
        reason: EndReason::PasswordChange,
        decision: None,
        now,
    };
    session::end_all_of(tx, &account.id, by.keeps, &ending).await?;
    Ok(())
}
