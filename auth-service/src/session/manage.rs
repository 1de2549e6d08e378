//! What users and administrators do with sessions that are open: see them, end one, end many.

use shared::clock::UtcMicros;
use shared::event::Actor;

use super::device::device;
use super::end::{EndReason, Ending, end, end_all_of};
use super::logout::record_logout;
use super::rotation::ABSOLUTE_MAX;
use super::store::{self, LiveSession};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, Operator, RequestContext};
use shared::database::Tx;

/// Sessions that are deleted at a time, so that nobody waits long for the database.
const PURGE_MAX: i64 = 1_000;

/// A live session as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) amr: Vec<String>,
    pub(super) created: Use,
    pub(super) last_used: Use,
}

/// When and from where a session was used.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) at: UtcMicros,
    pub(super) ip: Option<String>,
    pub(super) device: Option<String>,
    pub(super) user_agent: Option<String>,
}

impl Use {
    fn of(at: i64, ip: Option<String>, user_agent: Option<String>) -> Self {
        Self {
            at: UtcMicros::from_micros(at),
            ip,
            device: user_agent.as_deref().and_then(device),
            user_agent,
        }
    }
}

impl From<LiveSession> for Shown {
    fn from(session: LiveSession) -> Self {
        Self {
            id: session.id,
            client_id: session.client_id,
            amr: session.amr.split_whitespace().map(str::to_owned).collect(),
            created: Use::of(session.created_at, session.created_ip, session.created_user_agent),
            last_used: Use::of(session.rotated_at, session.rotated_ip, session.rotated_user_agent),
        }
    }
}

/// The live sessions of a user, the one used last first.
pub(super) async fn list(app: &App, user_id: &str) -> Result<Vec<Shown>, ApiError> {
    let mut tx = app.database.read().await?;
    let live = store::live_of(&mut tx, user_id, app.now()).await?;
    Ok(live.into_iter().map(Shown::from).collect())
}

/// Ends a session of the caller; of anybody else's it says that there is none.
pub(super) async fn end_own(
    app: &App,
    context: &RequestContext,
    caller: &Caller,
    sid: &str,
) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    if store::owner(&mut tx, sid).await?.as_deref() != Some(caller.0.sub.as_str()) {
        return Err(ApiError::NotFound);
    }
    let actor = caller.actor();
    end(&mut tx, sid, &logged_out(app, context, &actor)).await?;
    Ok(app.database.commit(tx).await?)
}

/// Ends all sessions of the caller, or all but the one that it asks with.
pub(super) async fn end_many(
    app: &App,
    context: &RequestContext,
    caller: &Caller,
    keeps_own: bool,
) -> Result<(), ApiError> {
    let mut tx: Tx<'static> = app.database.write().await?;
    let actor = caller.actor();
    let ending = logged_out(app, context, &actor);
    if !keeps_own {
        record_logout(&mut tx, &ending).await?;
    }
    let except = caller.0.sid.as_deref().filter(|_| keeps_own);
    end_all_of(&mut tx, &caller.0.sub, except, &ending).await?;
    Ok(app.database.commit(tx).await?)
}

/// Which sessions an administrator ends: one, or all of a user.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended<'a> {
    pub(super) session: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    /// By what name refusals know it, if it has one.
    pub(super) decision: Option<&'a str>,
}

/// Ends sessions of others and returns them; with `dry_run` only returns them.
pub(super) async fn revoke(
    app: &App,
    operator: &Operator,
    target: Ended<'_>,
    dry_run: bool,
) -> Result<Vec<Shown>, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let user_id = match (target.session, target.user) {
        (Some(sid), _) => store::owner(&mut tx, sid).await?.ok_or(ApiError::NotFound)?,
        (None, Some(user_id)) => user_id.to_owned(),
        (None, None) => return Ok(Vec::new()),
    };
    let mut live = store::live_of(&mut tx, &user_id, now).await?;
    live.retain(|session| target.session.is_none_or(|sid| sid == session.id));
    if !dry_run {
        let ending = Ending {
            context: operator.context(),
            actor: operator.actor(),
            reason: EndReason::Admin,
            decision: target.decision,
            now,
        };
        for session in &live {
            end(&mut tx, &session.id, &ending).await?;
        }
        app.database.commit(tx).await?;
    }
    Ok(live.into_iter().map(Shown::from).collect())
}

fn logged_out<'a>(app: &App, context: &'a RequestContext, actor: &'a Actor) -> Ending<'a> {
    Ending {
        context,
        actor,
        reason: EndReason::Logout,
        decision: None,
        now: app.now(),
    }
}

/// Deletes sessions that no refresh token can name any more. Until then an ended one stays, so that a replay is told from
/// what was never a token.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let until = app.now().minus(ABSOLUTE_MAX + super::rotation::GRACE);
    loop {
        let mut tx = app.database.write().await?;
        let deleted = store::delete_old(&mut tx, until, PURGE_MAX).await?;
        app.database.commit(tx).await?;
        if deleted < PURGE_MAX.unsigned_abs() {
            return Ok(());
        }
    }
}
