//! What a refresh token names, for those who ask about it without refreshing.

use shared::clock::UtcMicros;
use shared::event::{Actor, Identity};

use super::open::bounded_scopes;
use super::refresh_token::Unverified;
use super::rotation::{ABSOLUTE_MAX, IDLE_MAX, Verdict, judge};
use super::store;
use crate::app::App;
use crate::error::ApiError;
use crate::user;
use shared::database::Tx;

/// The session of a refresh token that this service wrote.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) sid: String,
    pub(crate) client_id: String,
    pub(crate) audience: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) issued_at: UtcMicros,
    /// When the token is over if it is not used before.
    pub(crate) expires_at: UtcMicros,
    /// Whether it would be exchanged now.
    pub(crate) is_live: bool,
}

impl Named {
    /// Whom events name.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            identity: Identity::Verified,
            sub: Some(self.user_id.clone()),
            username: Some(self.username.clone()),
            client_id: Some(self.client_id.clone()),
            sid: Some(self.sid.clone()),
            ..Actor::default()
        }
    }
}

/// What a refresh token names, be it live or not; `None` if this service did not write it.
pub(crate) async fn named_by(
    tx: &mut Tx<'_>,
    app: &App,
    token: &str,
    now: UtcMicros,
) -> Result<Option<Named>, ApiError> {
    let Some(unverified) = Unverified::parse(token) else {
        return Ok(None);
    };
    let sid = unverified.session_id();
    let Some(session) = store::find(tx, &sid).await? else {
        return Ok(None);
    };
    let Some(token) = unverified.verify(&app.refresh_key, &session.seed) else {
        return Ok(None);
    };
    let Some(account) = user::find(tx, &session.user_id).await? else {
        return Ok(None);
    };
    let verdict = judge(&session.state, token.counter, false, now);
    let idle_end = session.state.rotated_at.plus(IDLE_MAX);
    Ok(Some(Named {
        sid,
        scopes: bounded_scopes(&account.scopes, session.scopes.as_deref()),
        client_id: session.client_id,
        audience: session.audience,
        user_id: account.id,
        username: account.username,
        issued_at: session.state.rotated_at,
        expires_at: idle_end.min(session.state.authenticated_at.plus(ABSOLUTE_MAX)),
        is_live: matches!(verdict, Verdict::Rotate | Verdict::Repeat) && !account.is_disabled,
    }))
}
