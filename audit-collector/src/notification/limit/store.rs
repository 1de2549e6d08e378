//! What is held back of many messages, at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, read};
use uuid::Uuid;

use super::Held;

/// Messages that a receiver got after a moment.
pub(in crate::notification) async fn delivered_since(
    database: &Database,
    receiver: &str,
    since: UtcMicros,
) -> Result<i64, DatabaseError> {
    let select =
        "SELECT COUNT(*) FROM notification WHERE receiver = $1 AND state = 'delivered' AND ended_at > $2";
    let (count,): (i64,) = read!(
        fetch_one,
        database,
        sqlx::query_as(select).bind(receiver).bind(since.as_micros())
    )?;
    Ok(count)
}

/// Holds back what waits for a receiver and was not tried yet, but for what somebody asked for.
pub(in crate::notification) async fn hold_back(
    tx: &mut Tx<'_>,
    receiver: &str,
    now: UtcMicros,
) -> Result<u64, DatabaseError> {
    let update = "UPDATE notification SET state = 'failed', held = 1, ended_at = $2 \
        WHERE receiver = $1 AND state = 'pending' AND attempts = 0 AND next_at <= $2 AND tried_since = made_at";
    execute!(tx, sqlx::query(update).bind(receiver).bind(now.as_micros()))
}

/// What was held back of a receiver's messages and it does not know.
pub(in crate::notification) async fn held(
    database: &Database,
    receiver: &str,
) -> Result<Option<Held>, DatabaseError> {
    let select = "SELECT id, COUNT(*) OVER (), MAX(ended_at) OVER () FROM notification WHERE receiver = $1 AND held = 1 \
        ORDER BY id LIMIT 1";
    let row: Option<(Uuid, i64, i64)> =
        read!(fetch_optional, database, sqlx::query_as(select).bind(receiver))?;
    Ok(row.map(|(first, count, until)| Held {
        first,
        count,
        until: UtcMicros::from_micros(until),
    }))
}

/// Notes that the receiver knows it.
pub(in crate::notification) async fn note_told(
    tx: &mut Tx<'_>,
    receiver: &str,
    held: Held,
) -> Result<(), DatabaseError> {
    let update = "UPDATE notification SET held = 2 WHERE receiver = $1 AND held = 1 AND ended_at <= $2";
    execute!(
        tx,
        sqlx::query(update).bind(receiver).bind(held.until.as_micros())
    )?;
    Ok(())
}
