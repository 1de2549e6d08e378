//! Gives positions to batches.

use shared::database::{DatabaseError, Hold, execute, fetch};

/// Batches in one transaction: few enough that it is short.
const BATCHES_MAX: i64 = 256;

const POSITION: &str = "UPDATE batch SET first_position = next.position \
    FROM (SELECT id AS next_id, $1 + SUM(events) OVER (ORDER BY id) - events AS position \
          FROM (SELECT id, events FROM batch WHERE first_position IS NULL ORDER BY id LIMIT $2) AS pending) AS next \
    WHERE batch.id = next.next_id \
    RETURNING events";

/// Gives the next positions to batches that have none, and returns how many batches got theirs.
///
/// Right even if two leaders should do it at once: the row of the log's size makes them take turns.
pub(super) async fn position_batches(hold: &mut Hold) -> Result<u64, DatabaseError> {
    let mut tx = hold.begin().await?;
    let look = "SELECT COUNT(*) FROM (SELECT id FROM batch WHERE first_position IS NULL LIMIT 1) AS pending";
    let (pending,) = fetch!(fetch_one, &mut tx, sqlx::query_as::<_, (i64,)>(look))?;
    let mut positioned = Vec::new();
    if pending > 0 {
        // An update that changes nothing locks the row on both databases.
        let lock = "UPDATE log_state SET size = size WHERE id = 1 RETURNING size";
        let (size,) = fetch!(fetch_one, &mut tx, sqlx::query_as::<_, (i64,)>(lock))?;
        positioned = fetch!(
            fetch_all,
            &mut tx,
            sqlx::query_as::<_, (i32,)>(POSITION).bind(size).bind(BATCHES_MAX)
        )?;
        let events: i64 = positioned.iter().map(|(events,)| i64::from(*events)).sum();
        let grow = "UPDATE log_state SET size = size + $1 WHERE id = 1";
        execute!(&mut tx, sqlx::query(grow).bind(events))?;
    }
    // Also when nothing was done: what is merely dropped stays open until the connection is used again.
    tx.commit().await?;
    Ok(positioned.len() as u64)
}
