//! Where each receiver is in the log, at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;

/// How a receiver stands.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Standing {
    pub(super) name: String,
    /// The first position that was not sent.
    pub(super) position: i64,
    /// The position after the events that are being sent and were not taken; one that is not after `position` says nothing.
    pub(super) offered_until: Option<i64>,
    /// Events that were sent.
    pub(super) sent: i64,
    pub(super) last_sent_at: Option<i64>,
    /// Since when nothing gets through, and why.
    pub(super) failing_since: Option<i64>,
    pub(super) last_error: Option<String>,
}

/// Where a receiver is. One that is new begins at the end of the log: what is older can be exported.
pub(super) async fn begin(tx: &mut Tx<'_>, name: &str) -> Result<Standing, DatabaseError> {
    let insert = "INSERT INTO forwarding (name, position, sent) SELECT $1, size, 0 FROM log_state WHERE id = 1 \
        ON CONFLICT (name) DO NOTHING";
    execute!(tx, sqlx::query(insert).bind(name))?;
    let select = "SELECT name, position, offered_until, sent, last_sent_at, failing_since, last_error FROM forwarding \
        WHERE name = $1";
    fetch!(fetch_one, tx, sqlx::query_as(select).bind(name))
}

/// Notes that what a receiver is being sent ends before `until`.
pub(super) async fn offer(tx: &mut Tx<'_>, name: &str, until: u64) -> Result<(), DatabaseError> {
    let update = "UPDATE forwarding SET offered_until = $2 WHERE name = $1";
    execute!(tx, sqlx::query(update).bind(name).bind(until.cast_signed()))?;
    Ok(())
}

/// Notes that all before `position` was sent or is not to be sent.
pub(super) async fn advance(
    tx: &mut Tx<'_>,
    name: &str,
    (position, sent): (u64, usize),
    at: UtcMicros,
) -> Result<(), DatabaseError> {
    let update = "UPDATE forwarding SET position = $2, offered_until = NULL, sent = sent + $3, \
        last_sent_at = CASE WHEN $3 > 0 THEN $4 ELSE last_sent_at END, \
        failing_since = CASE WHEN $3 > 0 THEN NULL ELSE failing_since END, \
        last_error = CASE WHEN $3 > 0 THEN NULL ELSE last_error END WHERE name = $1";
    execute!(
        tx,
        sqlx::query(update)
            .bind(name)
            .bind(position.cast_signed())
            .bind(i64::try_from(sent).unwrap_or(i64::MAX))
            .bind(at.as_micros())
    )?;
    Ok(())
}

/// Notes that a receiver takes nothing.
pub(super) async fn note_failure(
    tx: &mut Tx<'_>,
    name: &str,
    error: &str,
    at: UtcMicros,
) -> Result<(), DatabaseError> {
    let update =
        "UPDATE forwarding SET failing_since = COALESCE(failing_since, $2), last_error = $3 WHERE name = $1";
    execute!(
        tx,
        sqlx::query(update).bind(name).bind(at.as_micros()).bind(error)
    )?;
    Ok(())
}

/// How every receiver stands that there is or was.
pub(super) async fn all(database: &Database) -> Result<Vec<Standing>, DatabaseError> {
    let select = "SELECT name, position, offered_until, sent, last_sent_at, failing_since, last_error FROM forwarding \
        ORDER BY name";
    read!(fetch_all, database, sqlx::query_as(select))
}
