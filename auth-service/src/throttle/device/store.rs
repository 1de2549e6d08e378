//! Known devices at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

const INSERT: &str =
    "INSERT INTO known_devices (token_hash, user_id, used_at, expires_at) VALUES ($1, $2, $3, $4)";
/// Two that were used at one moment are told apart by their hashes.
const DELETE_BEYOND: &str = "DELETE FROM known_devices WHERE token_hash IN (
    SELECT token_hash FROM known_devices WHERE user_id = $1
    ORDER BY used_at DESC, token_hash LIMIT $3 OFFSET $2)";
const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM known_devices
    WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3)";
const TOUCH: &str = "UPDATE known_devices SET used_at = $3 WHERE token_hash = $1 AND user_id = $2";
const DELETE_OF: &str = "DELETE FROM known_devices WHERE user_id = $1";
const DELETE_EXPIRED: &str = "DELETE FROM known_devices WHERE expires_at <= $1";

/// Keeps a device; of more than `kept_max` those go that were not used for longest.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    hash: Vec<u8>,
    user_id: &str,
    (now, expires_at): (UtcMicros, UtcMicros),
    kept_max: i64,
) -> Result<(), DatabaseError> {
    execute!(
        &mut *tx,
        sqlx::query(INSERT)
            .bind(hash)
            .bind(user_id)
            .bind(now.as_micros())
            .bind(expires_at.as_micros())
    )?;
    execute!(
        tx,
        sqlx::query(DELETE_BEYOND)
            .bind(user_id)
            .bind(kept_max)
            .bind(i64::MAX)
    )?;
    Ok(())
}

/// Whether it is a device of that user.
pub(super) async fn exists(
    tx: &mut Tx<'_>,
    hash: Vec<u8>,
    user_id: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let (exists,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (bool,)>(EXISTS)
            .bind(hash)
            .bind(user_id)
            .bind(now.as_micros())
    )?;
    Ok(exists)
}

/// Notes that it was used; whether it is a device of that user.
pub(super) async fn touch(
    tx: &mut Tx<'_>,
    hash: Vec<u8>,
    user_id: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let touched = execute!(
        tx,
        sqlx::query(TOUCH).bind(hash).bind(user_id).bind(now.as_micros())
    )?;
    Ok(touched > 0)
}

/// Forgets every device of a user.
pub(super) async fn delete_of(tx: &mut Tx<'_>, user_id: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_OF).bind(user_id))?;
    Ok(())
}

/// Forgets the devices whose time is over.
pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}
