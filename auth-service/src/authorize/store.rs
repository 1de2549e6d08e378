//! Authorization codes at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

use super::request::AuthorizationRequest;

const INSERT: &str = "INSERT INTO authorization_codes (code_hash, browser_session_id, client_id, user_id,
        redirect_uri, challenge, scope, audience, nonce, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const SELECT: &str =
    "SELECT browser_session_id, client_id, user_id, redirect_uri, challenge, scope, audience, nonce,
        expires_at, redeemed_at, session_id
    FROM authorization_codes WHERE code_hash = $1";
const REDEEM: &str = "UPDATE authorization_codes SET redeemed_at = $1
    WHERE code_hash = $2 AND redeemed_at IS NULL AND expires_at > $1";
const SET_SESSION: &str = "UPDATE authorization_codes SET session_id = $1 WHERE code_hash = $2";
const SESSIONS_OF_BROWSER: &str = "SELECT session_id FROM authorization_codes
    WHERE browser_session_id = $1 AND session_id IS NOT NULL ORDER BY session_id";
const SESSIONS_OF_CLIENT: &str = "SELECT session_id FROM authorization_codes
    WHERE user_id = $1 AND client_id = $2 AND session_id IS NOT NULL ORDER BY session_id";
const VOID_OF_CLIENT: &str = "DELETE FROM authorization_codes
    WHERE user_id = $1 AND client_id = $2 AND redeemed_at IS NULL";
const DELETE_OVER: &str = "DELETE FROM authorization_codes WHERE expires_at <= $1 AND
    (redeemed_at IS NULL OR redeemed_at <= $2)";

/// A code that is issued.
pub(super) struct NewCode<'a> {
    pub(super) hash: Vec<u8>,
    pub(super) browser_session_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) request: &'a AuthorizationRequest,
    pub(super) expires_at: UtcMicros,
}

/// A code as it is kept.
#[derive(sqlx::FromRow)]
pub(super) struct Code {
    pub(super) browser_session_id: String,
    pub(super) client_id: String,
    pub(super) user_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) audience: String,
    pub(super) nonce: Option<String>,
    expires_at: i64,
    redeemed_at: Option<i64>,
    pub(super) session_id: Option<String>,
}

impl Code {
    pub(super) const fn is_redeemed(&self) -> bool {
        self.redeemed_at.is_some()
    }

    pub(super) const fn is_expired(&self, now: UtcMicros) -> bool {
        self.expires_at <= now.as_micros()
    }
}

pub(super) async fn insert(tx: &mut Tx<'_>, new: &NewCode<'_>) -> Result<(), DatabaseError> {
    let request = new.request;
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(&new.hash)
            .bind(new.browser_session_id)
            .bind(&request.party.id)
            .bind(new.user_id)
            .bind(&request.return_address.redirect_uri)
            .bind(&request.challenge)
            .bind(request.scopes.join(" "))
            .bind(&request.audience)
            .bind(request.nonce.as_deref())
            .bind(new.expires_at.as_micros())
    )?;
    Ok(())
}

pub(super) async fn find(tx: &mut Tx<'_>, hash: &[u8]) -> Result<Option<Code>, DatabaseError> {
    fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Code>(SELECT).bind(hash.to_vec())
    )
}

/// Uses a code up; `false` if it is used or expired. This one statement decides who of many that present it is the first.
pub(super) async fn redeem(tx: &mut Tx<'_>, hash: &[u8], now: UtcMicros) -> Result<bool, DatabaseError> {
    let redeemed = execute!(tx, sqlx::query(REDEEM).bind(now.as_micros()).bind(hash.to_vec()))?;
    Ok(redeemed == 1)
}

/// Keeps which session was opened for a code.
pub(super) async fn set_session(tx: &mut Tx<'_>, hash: &[u8], sid: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(SET_SESSION).bind(sid).bind(hash.to_vec()))?;
    Ok(())
}

/// The sessions that were opened from a browser session.
pub(crate) async fn sessions_of_browser(tx: &mut Tx<'_>, id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String,)>(SESSIONS_OF_BROWSER).bind(id)
    )?;
    Ok(rows.into_iter().map(|(sid,)| sid).collect())
}

/// The sessions of a user that were opened for a client.
pub(crate) async fn sessions_of_client(
    tx: &mut Tx<'_>,
    user_id: &str,
    client_id: &str,
) -> Result<Vec<String>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String,)>(SESSIONS_OF_CLIENT)
            .bind(user_id)
            .bind(client_id)
    )?;
    Ok(rows.into_iter().map(|(sid,)| sid).collect())
}

/// Makes codes void that a client has not redeemed yet.
pub(crate) async fn void(tx: &mut Tx<'_>, user_id: &str, client_id: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(VOID_OF_CLIENT).bind(user_id).bind(client_id))?;
    Ok(())
}

/// Deletes codes that were not used in time, and used ones from before `session_over`.
pub(super) async fn delete_over(
    tx: &mut Tx<'_>,
    now: UtcMicros,
    session_over: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(DELETE_OVER)
            .bind(now.as_micros())
            .bind(session_over.as_micros())
    )?;
    Ok(())
}
