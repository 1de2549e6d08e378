//! Makes and drops the tables of ranges. Names and moments are of our own making.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx};
use shared::event::Class;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::Range;
use crate::event_log::COLUMNS;
use crate::retention::removal::Kept;
use crate::retention::rule::{Keeping, first_id};
use crate::search::{Dialect, Statement, bound};

/// How long a change of tables waits for those who use them, so that nobody queues behind it for longer; it is tried again in an hour.
const PATIENCE: &str = "SET LOCAL lock_timeout = '3s'";

/// How long it may take once it has its locks.
const TIME: &str = "SET LOCAL statement_timeout = '30min'";

/// The ranges of a class, the earliest first.
pub(in crate::retention) async fn ranges(
    tx: &mut Transaction<'_, Postgres>,
    class: Class,
) -> Result<Vec<Range>, DatabaseError> {
    let select = "SELECT name, first, until FROM event_partition WHERE class = $1 ORDER BY until";
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(select)
        .bind(class.as_str())
        .fetch_all(&mut **tx)
        .await?;
    let ranges = rows.into_iter().map(|(name, first, until)| Range {
        name,
        class,
        first: UtcMicros::from_micros(first),
        until: UtcMicros::from_micros(until),
    });
    Ok(ranges.collect())
}

/// Makes the ranges ahead of `now`, and returns how many.
///
/// Events that were ahead of them, by a clock that goes wrong, are moved from the default table into theirs.
pub(in crate::retention) async fn make_ahead(
    tx: &mut Tx<'_>,
    keeping: Keeping,
    now: UtcMicros,
) -> Result<usize, DatabaseError> {
    let Tx::Postgres(tx) = tx else { return Ok(0) };
    let last = ranges(tx, keeping.class).await?.pop();
    let made = Range::ahead(keeping, last.map_or(now, |range| range.until), now);
    if !made.is_empty() {
        run(tx, PATIENCE).await?;
        run(tx, TIME).await?;
    }
    for range in &made {
        let (name, class) = (&range.name, range.class);
        let (first, until) = (first_id(range.first), first_id(range.until));
        // Attached rather than made as a part: that does not lock those out who read and write the other parts.
        run(
            tx,
            &format!("CREATE TABLE {name} (LIKE event_{class} INCLUDING ALL)"),
        )
        .await?;
        run(
            tx,
            &format!(
                "WITH moved AS (DELETE FROM event_{class}_default WHERE id >= '{first}' AND id < '{until}' RETURNING {COLUMNS}) \
                INSERT INTO {name} ({COLUMNS}) SELECT {COLUMNS} FROM moved"
            ),
        )
        .await?;
        run(
            tx,
            &format!(
                "ALTER TABLE event_{class} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{until}')"
            ),
        )
        .await?;
        sqlx::query("INSERT INTO event_partition (name, class, first, until) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(class.as_str())
            .bind(range.first.as_micros())
            .bind(range.until.as_micros())
            .execute(&mut **tx)
            .await?;
    }
    Ok(made.len())
}

/// Drops a range but for what is held, and returns how many events were removed and how many were kept.
///
/// What is held moves to the default table, where it is found as before.
pub(in crate::retention) async fn drop_range(
    tx: &mut Transaction<'_, Postgres>,
    range: &Range,
    kept: &Kept,
) -> Result<(u64, u64), DatabaseError> {
    let (name, class) = (&range.name, range.class);
    run(tx, PATIENCE).await?;
    run(tx, TIME).await?;
    keep_leaves(tx, name, kept).await?;
    run(tx, &format!("ALTER TABLE event_{class} DETACH PARTITION {name}")).await?;
    let mut statement = Statement::new("", Dialect::Postgres);
    let held = kept.held(&mut statement);
    statement.sql = format!(
        "WITH held AS (INSERT INTO event ({COLUMNS}) SELECT {COLUMNS} FROM {name} e WHERE {held} RETURNING 1) \
        SELECT (SELECT COUNT(*) FROM {name}), (SELECT COUNT(*) FROM held)"
    );
    let (all, held): (i64, i64) = bound!((i64, i64), statement).fetch_one(&mut **tx).await?;
    run(tx, &format!("DROP TABLE {name}")).await?;
    sqlx::query("DELETE FROM event_partition WHERE name = $1")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(((all - held).cast_unsigned(), held.cast_unsigned()))
}

/// Keeps the leaf hashes of what will be removed of batches that keep other events.
async fn keep_leaves(
    tx: &mut Transaction<'_, Postgres>,
    name: &str,
    kept: &Kept,
) -> Result<(), DatabaseError> {
    let mut statement = Statement::new("", Dialect::Postgres);
    let held = kept.held(&mut statement);
    statement.sql = format!(
        "WITH kept AS (INSERT INTO removed_leaves (batch_id, first_ordinal, leaves) \
        SELECT e.batch_id, MIN(e.ordinal), \
            string_agg(int4send(e.ordinal) || sha256('\\x00'::bytea || e.body), ''::bytea ORDER BY e.ordinal) \
        FROM {name} e WHERE NOT COALESCE({held}, FALSE) AND ( \
            EXISTS (SELECT 1 FROM event o WHERE o.batch_id = e.batch_id AND o.tableoid <> '{name}'::regclass) \
            OR e.batch_id IN (SELECT e.batch_id FROM {name} e WHERE {held})) \
        GROUP BY e.batch_id ON CONFLICT DO NOTHING RETURNING 1) SELECT COUNT(*) FROM kept"
    );
    bound!((i64,), statement).fetch_one(&mut **tx).await?;
    forget_leaves(tx, name, kept).await
}

/// Forgets the leaf hashes of batches that keep nothing any more: their own digests are enough.
async fn forget_leaves(
    tx: &mut Transaction<'_, Postgres>,
    name: &str,
    kept: &Kept,
) -> Result<(), DatabaseError> {
    let mut statement = Statement::new("", Dialect::Postgres);
    let held = kept.held(&mut statement);
    statement.sql = format!(
        "WITH forgotten AS (DELETE FROM removed_leaves l WHERE l.batch_id IN (SELECT e.batch_id FROM {name} e) \
            AND NOT EXISTS (SELECT 1 FROM event o WHERE o.batch_id = l.batch_id AND o.tableoid <> '{name}'::regclass) \
            AND NOT EXISTS (SELECT 1 FROM {name} e WHERE e.batch_id = l.batch_id AND {held}) RETURNING 1) \
        SELECT COUNT(*) FROM forgotten"
    );
    bound!((i64,), statement).fetch_one(&mut **tx).await?;
    Ok(())
}

async fn run(tx: &mut Transaction<'_, Postgres>, sql: &str) -> Result<(), DatabaseError> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
