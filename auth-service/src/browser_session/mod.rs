//! Who is signed in at the hosted pages: one session per browser, known by a cookie, from which clients get codes without
//! asking for the password again.
//!
//! It ends an hour after it was last used, a day after the sign-in, when its user signs out, and with all other sessions of
//! its user. It also ends with the password that opened it and when its user is disabled, whoever changes that.

mod cookie;
mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx};

use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::secret::{self, sha256};
use crate::sign_in::Authentication;
use crate::user::{self, Account};
pub(crate) use cookie::{Cookie, CookieRules};
pub(crate) use store::{end, end_all_of, end_behind};

/// How long one lasts without being used (NIST SP 800-63B-4 §2.2.3).
const IDLE_MAX: Duration = Duration::from_hours(1);

/// How long one lasts at most.
const ABSOLUTE_MAX: Duration = Duration::from_hours(24);

/// A session that is alive.
#[derive(Clone)]
pub(crate) struct BrowserSession {
    pub(crate) id: String,
    pub(crate) account: Account,
    /// How its user proved who it is (RFC 8176), separated by spaces.
    pub(crate) amr: String,
    pub(crate) authenticated_at: UtcMicros,
}

/// Opens one with a new secret for the browser, which is returned. The browser's former one ends. `None` if what was proved
/// does not hold any more.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    authentication: &Authentication,
    former: Option<&BrowserSession>,
    now: UtcMicros,
) -> Result<Option<(BrowserSession, String)>, ApiError> {
    let Some(account) = authentication.current_account(tx).await? else {
        return Ok(None);
    };
    if let Some(former) = former {
        store::end(tx, &former.id, now).await?;
    }
    let token = secret::fresh_token("").map_err(Internal::from)?;
    let session = BrowserSession {
        id: format!("bse_{}", uuid::Uuid::new_v4().simple()),
        account,
        amr: authentication.amr(),
        authenticated_at: authentication.authenticated_at,
    };
    let new = store::NewBrowserSession {
        session: &session,
        token_hash: sha256(&token),
        password_digest: session.account.password_digest(),
    };
    store::insert(tx, &new, now).await?;
    Ok(Some((session, token)))
}

/// The living session of a browser, which counts as used now.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    token: &str,
    now: UtcMicros,
) -> Result<Option<BrowserSession>, DatabaseError> {
    let Some(found) = store::find(tx, &sha256(token)).await? else {
        return Ok(None);
    };
    let is_over = found.is_ended
        || now >= found.last_used_at.plus(IDLE_MAX)
        || now >= found.authenticated_at.plus(ABSOLUTE_MAX);
    if is_over {
        return Ok(None);
    }
    let account = match user::find(tx, &found.user_id).await? {
        Some(account) if !account.is_disabled && account.password_digest() == found.password_digest => {
            account
        }
        _ => return Ok(None),
    };
    store::touch(tx, &found.id, now).await?;
    Ok(Some(BrowserSession {
        id: found.id,
        account,
        amr: found.amr,
        authenticated_at: found.authenticated_at,
    }))
}

/// What a session was opened with, if it and its user's password are still as they were: for the code that came from it.
pub(crate) async fn authentication(tx: &mut Tx<'_>, id: &str) -> Result<Option<Authentication>, ApiError> {
    let Some(found) = store::find_by_id(tx, id).await? else {
        return Ok(None);
    };
    let account = match user::find(tx, &found.user_id).await? {
        Some(account) if !account.is_disabled && account.password_digest() == found.password_digest => {
            account
        }
        _ => return Ok(None),
    };
    if found.is_ended {
        return Ok(None);
    }
    Ok(Some(Authentication::recalled(
        account,
        &found.amr,
        found.authenticated_at,
    )))
}

/// Deletes what is long over.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_over(&mut tx, app.now().minus(ABSOLUTE_MAX)).await?;
    Ok(app.database.commit(tx).await?)
}
