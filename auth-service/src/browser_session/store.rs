//! Browser sessions at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

use super::BrowserSession;

const INSERT: &str = "INSERT INTO browser_sessions (id, token_hash, user_id, password_hash_digest, amr,
        authenticated_at, last_used_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const SELECT: &str = "SELECT id, user_id, password_hash_digest, amr, authenticated_at, last_used_at, ended_at
    FROM browser_sessions WHERE token_hash = $1";
const SELECT_BY_ID: &str =
    "SELECT id, user_id, password_hash_digest, amr, authenticated_at, last_used_at, ended_at
    FROM browser_sessions WHERE id = $1";
const TOUCH: &str = "UPDATE browser_sessions SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1";
const END: &str = "UPDATE browser_sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL";
const END_ALL_OF: &str = "UPDATE browser_sessions SET ended_at = $1 WHERE user_id = $2 AND ended_at IS NULL";
const END_BEHIND: &str = "UPDATE browser_sessions SET ended_at = $1 WHERE ended_at IS NULL AND id IN
    (SELECT browser_session_id FROM authorization_codes WHERE session_id = $2)";
const DELETE_OVER: &str = "DELETE FROM browser_sessions WHERE authenticated_at < $1 AND NOT EXISTS
    (SELECT 1 FROM authorization_codes WHERE browser_session_id = browser_sessions.id)";

/// A session that is opened.
pub(super) struct NewBrowserSession<'a> {
    pub(super) session: &'a BrowserSession,
    pub(super) token_hash: Vec<u8>,
    pub(super) password_digest: Vec<u8>,
}

/// A session as it is kept.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) user_id: String,
    pub(super) password_digest: Vec<u8>,
    pub(super) amr: String,
    pub(super) authenticated_at: UtcMicros,
    pub(super) last_used_at: UtcMicros,
    pub(super) is_ended: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    user_id: String,
    password_hash_digest: Vec<u8>,
    amr: String,
    authenticated_at: i64,
    last_used_at: i64,
    ended_at: Option<i64>,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            password_digest: row.password_hash_digest,
            amr: row.amr,
            authenticated_at: UtcMicros::from_micros(row.authenticated_at),
            last_used_at: UtcMicros::from_micros(row.last_used_at),
            is_ended: row.ended_at.is_some(),
        }
    }
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    new: &NewBrowserSession<'_>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(&new.session.id)
            .bind(&new.token_hash)
            .bind(&new.session.account.id)
            .bind(&new.password_digest)
            .bind(&new.session.amr)
            .bind(new.session.authenticated_at.as_micros())
            .bind(now.as_micros())
    )?;
    Ok(())
}

pub(super) async fn find(tx: &mut Tx<'_>, token_hash: &[u8]) -> Result<Option<Kept>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Row>(SELECT).bind(token_hash.to_vec())
    )?;
    Ok(row.map(Kept::from))
}

pub(super) async fn find_by_id(tx: &mut Tx<'_>, id: &str) -> Result<Option<Kept>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Row>(SELECT_BY_ID).bind(id)
    )?;
    Ok(row.map(Kept::from))
}

pub(super) async fn touch(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(TOUCH).bind(now.as_micros()).bind(id))?;
    Ok(())
}

/// Ends one.
pub(crate) async fn end(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(END).bind(now.as_micros()).bind(id))?;
    Ok(())
}

/// Ends all of a user.
pub(crate) async fn end_all_of(tx: &mut Tx<'_>, user_id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(END_ALL_OF).bind(now.as_micros()).bind(user_id))?;
    Ok(())
}

/// Ends the one that a client's session was opened from.
pub(crate) async fn end_behind(tx: &mut Tx<'_>, sid: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(END_BEHIND).bind(now.as_micros()).bind(sid))?;
    Ok(())
}

/// Deletes those of a sign-in before `moment` from which no code is left.
pub(super) async fn delete_over(tx: &mut Tx<'_>, moment: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_OVER).bind(moment.as_micros()))?;
    Ok(())
}
