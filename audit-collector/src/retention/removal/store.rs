//! Removes events row by row, a bounded number at a time.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};
use shared::event::Class;
use uuid::Uuid;

use super::Kept;
use super::leaves::leaves;
use crate::retention::rule::Cutoff;
use crate::search::{Dialect, Statement, Value, bound};

/// An event that was removed.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Gone {
    pub(super) batch_id: Uuid,
    pub(super) ordinal: i32,
    pub(super) time: i64,
    pub(super) id: Uuid,
    pub(super) body: Vec<u8>,
}

/// Events in one transaction: few enough that intake, which shares SQLite's only writer, does not wait for long.
const EVENTS_MAX: i64 = 500;

/// What the ids of imported events begin with; see `shared::event::imported_event_id`.
const FIRST_IMPORTED: Uuid = Uuid::from_u128(0xff << 120);

/// The tables in which a class has events that are removed one by one.
///
/// On PostgreSQL: what is in no range, and what was imported; ranges are dropped. On SQLite: all.
pub(in crate::retention) fn table_parts(class: Class, dialect: Dialect) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => vec!["event".to_owned()],
        Dialect::Postgres => vec![
            format!("event_{class}_default"),
            format!("event_{class}_imported"),
        ],
    }
}

/// Where the last step ended: its events' time and id.
pub(in crate::retention) type Place = (i64, Uuid);

/// Before the first step.
const BEGINNING: Place = (i64::MIN, Uuid::nil());

/// The condition that an event of `class` in `event e` has been kept for long enough and is not held.
///
/// It counts from when it happened, but for what was imported and for what came with a wrong clock: that counts from when it was
/// recorded, as on PostgreSQL all does that is in no range.
fn due(statement: &mut Statement, class: Class, cutoff: Cutoff, kept: &Kept) -> String {
    let batch = statement.placeholder(Value::Id(cutoff.batch()));
    let held = kept.held(statement);
    let condition = match statement.dialect() {
        Dialect::Postgres => format!("e.batch_id < {batch}"),
        Dialect::Sqlite => {
            let class = statement.placeholder(Value::Text(class.as_str().to_owned()));
            let time = statement.placeholder(Value::Number(cutoff.0.as_micros()));
            let imported = statement.placeholder(Value::Id(FIRST_IMPORTED));
            format!(
                "e.class = {class} AND e.time < {time} \
                AND (e.batch_id < {batch} OR (e.time_suspect = FALSE AND e.id < {imported}))"
            )
        }
    };
    format!("{condition} AND NOT COALESCE({held}, FALSE)")
}

/// How many events of a table have been kept for long enough and are not held.
pub(in crate::retention) async fn count(
    tx: &mut Tx<'_>,
    table: &str,
    (class, cutoff): (Class, Option<Cutoff>),
    kept: &Kept,
) -> Result<u64, DatabaseError> {
    let mut statement = Statement::new("", Dialect::of_tx(tx));
    let due = match cutoff {
        Some(cutoff) => due(&mut statement, class, cutoff, kept),
        None => format!("NOT COALESCE({}, FALSE)", kept.held(&mut statement)),
    };
    statement.sql = format!("SELECT COUNT(*) FROM {table} e WHERE {due}");
    let (events,): (i64,) = fetch!(fetch_one, tx, bound!((i64,), statement))?;
    Ok(events.cast_unsigned())
}

/// Removes some events of a table that are due, in the order of their times from `place` on. Returns how many, and where to go on.
pub(in crate::retention) async fn remove_some(
    tx: &mut Tx<'_>,
    table: &str,
    (class, cutoff): (Class, Cutoff),
    (kept, place): (&Kept, Option<Place>),
) -> Result<Option<(u64, Place)>, DatabaseError> {
    let mut statement = Statement::new("", Dialect::of_tx(tx));
    let due = due(&mut statement, class, cutoff, kept);
    let (time, id) = place.unwrap_or(BEGINNING);
    let time = statement.placeholder(Value::Number(time));
    let id = statement.placeholder(Value::Id(id));
    statement.sql = format!(
        "DELETE FROM {table} WHERE id IN (SELECT e.id FROM {table} e WHERE (e.time, e.id) > ({time}, {id}) AND {due} \
        ORDER BY e.time, e.id LIMIT {EVENTS_MAX}) RETURNING batch_id, ordinal, time, id, body"
    );
    let gone: Vec<Gone> = fetch!(fetch_all, tx, bound!(Gone, statement))?;
    let Some(last) = gone.iter().map(|event| (event.time, event.id)).max() else {
        return Ok(None);
    };
    keep_leaves(tx, &gone).await?;
    Ok(Some((gone.len() as u64, last)))
}

/// Keeps the leaf hashes of what was removed of batches that keep other events. Of a batch that keeps none, its own digest is enough.
async fn keep_leaves(tx: &mut Tx<'_>, gone: &[Gone]) -> Result<(), DatabaseError> {
    for (batch, (first, leaves)) in leaves(gone) {
        let any = "SELECT EXISTS (SELECT 1 FROM event WHERE batch_id = $1)";
        let (keeps_others,): (bool,) = fetch!(fetch_one, tx, sqlx::query_as(any).bind(batch))?;
        if keeps_others {
            let insert = "INSERT INTO removed_leaves (batch_id, first_ordinal, leaves) VALUES ($1, $2, $3)";
            execute!(
                tx,
                sqlx::query(insert)
                    .bind(batch)
                    .bind(first)
                    .bind(leaves.as_slice())
            )?;
        } else {
            let forget = "DELETE FROM removed_leaves WHERE batch_id = $1";
            execute!(tx, sqlx::query(forget).bind(batch))?;
        }
    }
    Ok(())
}

/// The moment until which everybody who follows the log has come: what was recorded later may not be removed yet. `None` if all is
/// followed.
pub(in crate::retention) async fn followed_until(
    tx: &mut Tx<'_>,
) -> Result<Option<UtcMicros>, DatabaseError> {
    let select = "SELECT MIN(recorded_at) FROM ( \
        SELECT recorded_at FROM (SELECT recorded_at FROM batch WHERE first_position IS NULL ORDER BY id LIMIT 1) AS unordered \
        UNION ALL SELECT recorded_at FROM (SELECT recorded_at FROM batch WHERE first_position >= ( \
            SELECT MIN(position) FROM ( \
                SELECT position FROM rollup_state UNION ALL SELECT memories_position FROM detection_state \
                UNION ALL SELECT COALESCE(MAX(position), 0) FROM completeness) AS followers) \
            ORDER BY first_position LIMIT 1) AS unfollowed) AS oldest";
    let (oldest,): (Option<i64>,) = fetch!(fetch_one, tx, sqlx::query_as(select))?;
    Ok(oldest.map(UtcMicros::from_micros))
}
