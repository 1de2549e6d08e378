//! Buckets at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, read};
use sqlx::AssertSqlSafe;

use super::bucket::Bucket;
use super::rule::State;

/// Buckets that are kept at most; those with the fewest failures go first.
pub(super) const BUCKETS_MAX: i64 = 100_000;

const SELECT: &str = "SELECT id, failures, mark, told_at, forget_at FROM throttle_buckets WHERE id IN ";
const INSERT: &str =
    "INSERT INTO throttle_buckets (id, kind, subject, failures, mark, admits_at, told_at, forget_at) VALUES ";
/// Makes the rows that are not there, and holds all of them until the transaction ends, one after the other as they are named.
const OR_LOCK: &str = " ON CONFLICT (id) DO UPDATE SET subject = excluded.subject
    RETURNING id, failures, mark, told_at, forget_at";
const OR_SET: &str = " ON CONFLICT (id) DO UPDATE SET failures = excluded.failures, mark = excluded.mark,
    admits_at = excluded.admits_at, told_at = excluded.told_at, forget_at = excluded.forget_at";
const DELETE: &str = "DELETE FROM throttle_buckets WHERE id IN ";
const DELETE_FORGOTTEN: &str = "DELETE FROM throttle_buckets WHERE forget_at <= $1";
const DELETE_LEAST: &str = "DELETE FROM throttle_buckets WHERE id IN (
    SELECT id FROM throttle_buckets ORDER BY failures DESC, forget_at DESC LIMIT $2 OFFSET $1)";

/// A bucket as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) state: State,
    /// When it was last told that the bucket refuses.
    pub(super) told_at: UtcMicros,
}

impl Stored {
    /// One that was never used.
    pub(super) const FRESH: Self = Self {
        state: State::FRESH,
        told_at: UtcMicros::from_micros(0),
    };
}

/// What a bucket becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) stored: Stored,
    pub(super) admits_at: UtcMicros,
    pub(super) forget_at: UtcMicros,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    failures: i64,
    mark: i64,
    told_at: i64,
    forget_at: i64,
}

impl Row {
    fn stored(&self, now: UtcMicros) -> Stored {
        if self.forget_at <= now.as_micros() {
            return Stored::FRESH;
        }
        Stored {
            state: State {
                failures: self.failures,
                mark: UtcMicros::from_micros(self.mark),
            },
            told_at: UtcMicros::from_micros(self.told_at),
        }
    }
}

/// The query of [`SELECT`] for either database.
macro_rules! select {
    ($buckets:expr) => {{
        let sql = format!("{SELECT}{}", placeholders(1, $buckets.len()));
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(sql));
        for bucket in $buckets {
            query = query.bind(&bucket.id);
        }
        query
    }};
}

/// Reads buckets, in the order in which they are named.
pub(super) async fn read(
    database: &Database,
    buckets: &[&Bucket],
    now: UtcMicros,
) -> Result<Vec<Stored>, DatabaseError> {
    let rows = read!(fetch_all, database, select!(buckets))?;
    Ok(in_order(buckets, &rows, now))
}

/// Reads buckets that nobody else changes until the transaction ends. Whoever names them in one order never waits for somebody
/// who waits for it.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    buckets: &[&Bucket],
    now: UtcMicros,
) -> Result<Vec<Stored>, DatabaseError> {
    let rows = match tx {
        // SQLite's only writer has nobody to wait for, so that it is enough to read.
        Tx::Sqlite(tx) => select!(buckets).fetch_all(&mut **tx).await?,
        Tx::Postgres(tx) => {
            let sql = format!("{INSERT}{}{OR_LOCK}", rows_of_placeholders(buckets.len()));
            let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(sql));
            for bucket in buckets {
                query = query
                    .bind(&bucket.id)
                    .bind(bucket.kind.as_str())
                    .bind(&bucket.subject);
                query = query
                    .bind(0_i64)
                    .bind(0_i64)
                    .bind(0_i64)
                    .bind(0_i64)
                    .bind(now.as_micros());
            }
            query.fetch_all(&mut **tx).await?
        }
    };
    Ok(in_order(buckets, &rows, now))
}

/// Writes buckets that were locked.
pub(super) async fn set(tx: &mut Tx<'_>, changes: &[(&Bucket, Next)]) -> Result<(), DatabaseError> {
    if changes.is_empty() {
        return Ok(());
    }
    let sql = format!("{INSERT}{}{OR_SET}", rows_of_placeholders(changes.len()));
    execute!(tx, {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (bucket, next) in changes {
            query = query
                .bind(&bucket.id)
                .bind(bucket.kind.as_str())
                .bind(&bucket.subject);
            query = query
                .bind(next.stored.state.failures)
                .bind(next.stored.state.mark.as_micros())
                .bind(next.admits_at.as_micros())
                .bind(next.stored.told_at.as_micros())
                .bind(next.forget_at.as_micros());
        }
        query
    })?;
    Ok(())
}

fn in_order(buckets: &[&Bucket], rows: &[Row], now: UtcMicros) -> Vec<Stored> {
    let row_of = |bucket: &Bucket| rows.iter().find(|row| row.id == bucket.id);
    buckets
        .iter()
        .map(|bucket| row_of(bucket).map_or(Stored::FRESH, |row| row.stored(now)))
        .collect()
}

/// `($1, $2, …)`, from `first` on.
fn placeholders(first: usize, count: usize) -> String {
    let names: Vec<_> = (first..first + count)
        .map(|number| format!("${number}"))
        .collect();
    format!("({})", names.join(", "))
}

/// The rows of [`INSERT`].
fn rows_of_placeholders(count: usize) -> String {
    const COLUMNS: usize = 8;
    let rows: Vec<_> = (0..count)
        .map(|row| placeholders(1 + row * COLUMNS, COLUMNS))
        .collect();
    rows.join(", ")
}

/// Forgets what buckets have seen. Several are to be locked before.
pub(super) async fn delete(tx: &mut Tx<'_>, ids: &[&str]) -> Result<(), DatabaseError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("{DELETE}{}", placeholders(1, ids.len()));
    execute!(tx, {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for id in ids {
            query = query.bind(id);
        }
        query
    })?;
    Ok(())
}

/// Deletes buckets that are as good as unused, and those beyond the number that is kept.
pub(super) async fn purge(tx: &mut Tx<'_>, kept_max: i64, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(&mut *tx, sqlx::query(DELETE_FORGOTTEN).bind(now.as_micros()))?;
    execute!(tx, sqlx::query(DELETE_LEAST).bind(kept_max).bind(i64::MAX))?;
    Ok(())
}
