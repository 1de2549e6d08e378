//! Ends sessions, for whatever reason: their rows, their events and what every verifier must refuse from then on, in the
//! caller's transaction.

use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Actor, Class, Outcome, action};

use super::store;
use crate::browser_session;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Live sessions that one user may have.
const SESSIONS_MAX: i64 = 100;

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The user signed out.
    Logout,
    /// A refresh token that had been replaced was presented again.
    Reuse,
    /// The user got another password.
    PasswordChange,
    /// The user was disabled.
    Disabled,
    /// The user was deleted.
    Deleted,
    /// The user's second factor was added or removed.
    FactorChange,
    /// An authorization code was presented a second time.
    CodeReuse,
    /// Its client asked for it (RFC 7009).
    Client,
    /// The user took back what it had allowed the client.
    ConsentRevoked,
    /// An administrator ended it.
    Admin,
    /// The user has more sessions than one may have; this was the one that was used least lately.
    TooMany,
}

impl EndReason {
    /// The stable word in the database and in events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
            Self::PasswordChange => "password_change",
            Self::Disabled => "user_disabled",
            Self::Deleted => "user_deleted",
            Self::FactorChange => "factor_change",
            Self::CodeReuse => "code_reuse",
            Self::Client => "client_request",
            Self::ConsentRevoked => "consent_revoked",
            Self::Admin => "admin",
            Self::TooMany => "too_many_sessions",
        }
    }
}

/// Who ends sessions, when and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) context: &'a RequestContext,
    /// Who does it, which need not be whose sessions they are.
    pub(crate) actor: &'a Actor,
    pub(crate) reason: EndReason,
    /// By what name refusals know it, if it has one.
    pub(crate) decision: Option<&'a str>,
    pub(crate) now: UtcMicros,
}

/// Ends one session, and that of the browser it was opened from if somebody wanted it to end; `false` if it has ended before or there is none. Call it last in a transaction: whoever else appends to
/// the enforcement log waits for the commit.
pub(crate) async fn end(tx: &mut Tx<'_>, sid: &str, ending: &Ending<'_>) -> Result<bool, ApiError> {
    if !store::end(tx, sid, ending.reason, ending.now).await? {
        return Ok(false);
    }
    end_behind(tx, sid, ending).await?;
    revoke(tx, &[sid.to_owned()], ending).await?;
    Ok(true)
}

/// Whether that session has ended; one that is not there has.
pub(crate) async fn has_ended(tx: &mut Tx<'_>, sid: &str) -> Result<bool, ApiError> {
    let session = store::find(tx, sid).await?;
    Ok(session.is_none_or(|session| session.state.is_ended))
}

/// Ends every session of a user but that of `except`; how many there were. It does not stay signed in at
/// the hosted pages either, from where it would be back at once. Call it last in a transaction.
pub(crate) async fn end_all_of(
    tx: &mut Tx<'_>,
    user_id: &str,
    except: Option<&str>,
    ending: &Ending<'_>,
) -> Result<usize, ApiError> {
    browser_session::end_all_of(tx, user_id, ending.now).await?;
    let live = store::live_of(tx, user_id, ending.now).await?;
    let others = live
        .into_iter()
        .map(|session| session.id)
        .filter(|sid| Some(sid.as_str()) != except);
    end_each(tx, others, ending).await
}

/// Ends what a user has beyond the number of sessions that one may have, the ones used least lately.
pub(super) async fn end_beyond_limit(
    tx: &mut Tx<'_>,
    user_id: &str,
    ending: &Ending<'_>,
) -> Result<usize, ApiError> {
    let beyond = store::live_beyond(tx, user_id, SESSIONS_MAX, ending.now).await?;
    end_each(tx, beyond.into_iter(), ending).await
}

/// Ends each of these sessions; how many had not ended before. Call it last in a transaction.
pub(crate) async fn end_each(
    tx: &mut Tx<'_>,
    sids: impl Iterator<Item = String>,
    ending: &Ending<'_>,
) -> Result<usize, ApiError> {
    let mut ended = Vec::new();
    for sid in sids {
        if store::end(tx, &sid, ending.reason, ending.now).await? {
            end_behind(tx, &sid, ending).await?;
            ended.push(sid);
        }
    }
    revoke(tx, &ended, ending).await?;
    Ok(ended.len())
}

/// Whoever signs out does not want to be signed in again without being asked.
async fn end_behind(tx: &mut Tx<'_>, sid: &str, ending: &Ending<'_>) -> Result<(), ApiError> {
    if matches!(ending.reason, EndReason::Logout | EndReason::Admin) {
        browser_session::end_behind(tx, sid, ending.now).await?;
    }
    Ok(())
}

/// The events first, since the log is held from the first entry on.
async fn revoke(tx: &mut Tx<'_>, sids: &[String], ending: &Ending<'_>) -> Result<(), ApiError> {
    for sid in sids {
        let revoked = ending
            .context
            .facts(
                Class::Auth,
                action::AUTHN_TOKEN_REVOKED,
                Outcome::Success,
                ending.actor.clone(),
            )
            .because(ending.reason.as_str())
            .with_detail("sid", sid.as_str());
        outbox::append(tx, ending.now, revoked).await?;
    }
    for sid in sids {
        enforcement::append_named(tx, &Target::Sid(sid.clone()), ending.decision, ending.now).await?;
    }
    Ok(())
}
