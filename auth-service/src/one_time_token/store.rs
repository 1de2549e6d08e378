//! One-time tokens at rest.

use shared::clock::UtcMicros;

use super::Purpose;
use crate::secret::sha256;
use shared::database::{DatabaseError, Tx, execute, fetch};

const DELETE_FORMER: &str =
    "DELETE FROM one_time_tokens WHERE purpose = $1 AND (user_id = $2 OR (user_id IS NULL AND $2 IS NULL))";
const INSERT: &str =
    "INSERT INTO one_time_tokens (token_hash, purpose, user_id, expires_at) VALUES ($1, $2, $3, $4)";
const SELECT_USER: &str =
    "SELECT user_id FROM one_time_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";
const COUNT: &str = "SELECT COUNT(*) FROM one_time_tokens WHERE purpose = $1 AND expires_at > $2";
const DELETE: &str = "DELETE FROM one_time_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";
const DELETE_EXPIRED: &str = "DELETE FROM one_time_tokens WHERE expires_at <= $1";

/// Keeps a fresh token for the user, or for nobody in particular; former ones of the same purpose are void.
pub(crate) async fn replace(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    user_id: Option<&str>,
    token: &str,
    expires_at: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        &mut *tx,
        sqlx::query(DELETE_FORMER).bind(purpose.as_str()).bind(user_id)
    )?;
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(sha256(token))
            .bind(purpose.as_str())
            .bind(user_id)
            .bind(expires_at.as_micros())
    )?;
    Ok(())
}

/// Whom a token that is still good was made for.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    token: &str,
    now: UtcMicros,
) -> Result<Option<Option<String>>, DatabaseError> {
    let found = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, (Option<String>,)>(SELECT_USER)
            .bind(sha256(token))
            .bind(purpose.as_str())
            .bind(now.as_micros())
    )?;
    Ok(found.map(|(user_id,)| user_id))
}

/// Whether a token is still good, without using it up.
pub(crate) async fn exists(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    token: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    Ok(find(tx, purpose, token, now).await?.is_some())
}

/// Whether somebody has a token for that purpose that is still good.
pub(crate) async fn is_waiting(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let (count,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64,)>(COUNT)
            .bind(purpose.as_str())
            .bind(now.as_micros())
    )?;
    Ok(count > 0)
}

/// Uses a token up; whether it was still good. Of two who try at once only one succeeds.
pub(crate) async fn consume(
    tx: &mut Tx<'_>,
    purpose: Purpose,
    token: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let deleted = execute!(
        tx,
        sqlx::query(DELETE)
            .bind(sha256(token))
            .bind(purpose.as_str())
            .bind(now.as_micros())
    )?;
    Ok(deleted == 1)
}

/// Deletes the tokens that are not good any more.
pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}
