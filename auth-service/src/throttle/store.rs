//! Buckets at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

use super::bucket::Bucket;
use super::rule::State;

/// Buckets that are kept at most; those with the fewest failures go first.
pub(super) const BUCKETS_MAX: i64 = 100_000;

const SELECT: &str = "SELECT failures, mark, told_at FROM throttle_buckets WHERE id = $1 AND forget_at > $2";
/// Makes the row if there is none, and holds it either way until the transaction ends.
const LOCK: &str =
    "INSERT INTO throttle_buckets (id, kind, subject, failures, mark, admits_at, told_at, forget_at)
    VALUES ($1, $2, $3, 0, 0, 0, 0, $4)
    ON CONFLICT (id) DO UPDATE SET subject = excluded.subject
    RETURNING failures, mark, told_at, forget_at";
const SET: &str = "UPDATE throttle_buckets
    SET failures = $2, mark = $3, admits_at = $4, told_at = $5, forget_at = $6 WHERE id = $1";
/// What others have charged meanwhile stays.
const GIVE_BACK_IN_A_ROW: &str = "UPDATE throttle_buckets SET failures = failures - 1,
    admits_at = CASE WHEN mark = $2 THEN $3 ELSE admits_at END, mark = CASE WHEN mark = $2 THEN $3 ELSE mark END
    WHERE id = $1 AND failures > 0";
const GIVE_BACK_RATE: &str = "UPDATE throttle_buckets SET failures = failures - 1, mark = mark - $2,
    admits_at = admits_at - $2 WHERE id = $1 AND failures > 0";
const DELETE: &str = "DELETE FROM throttle_buckets WHERE id = $1";
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
    const FRESH: Self = Self {
        state: State::FRESH,
        told_at: UtcMicros::from_micros(0),
    };

    fn of(failures: i64, mark: i64, told_at: i64) -> Self {
        Self {
            state: State {
                failures,
                mark: UtcMicros::from_micros(mark),
            },
            told_at: UtcMicros::from_micros(told_at),
        }
    }
}

/// What a bucket becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) stored: Stored,
    pub(super) admits_at: UtcMicros,
    pub(super) forget_at: UtcMicros,
}

/// Reads a bucket.
pub(super) async fn read(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<Stored, DatabaseError> {
    let found = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, (i64, i64, i64)>(SELECT)
            .bind(id)
            .bind(now.as_micros())
    )?;
    Ok(found.map_or(Stored::FRESH, |(failures, mark, told_at)| {
        Stored::of(failures, mark, told_at)
    }))
}

/// Reads a bucket that nobody else changes until the transaction ends.
pub(super) async fn lock(tx: &mut Tx<'_>, bucket: &Bucket, now: UtcMicros) -> Result<Stored, DatabaseError> {
    let (failures, mark, told_at, forget_at) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64, i64, i64, i64)>(LOCK)
            .bind(&bucket.id)
            .bind(bucket.kind.as_str())
            .bind(&bucket.subject)
            .bind(now.as_micros())
    )?;
    if forget_at <= now.as_micros() {
        return Ok(Stored::FRESH);
    }
    Ok(Stored::of(failures, mark, told_at))
}

/// Writes a bucket that was locked.
pub(super) async fn set(tx: &mut Tx<'_>, id: &str, next: &Next) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(SET)
            .bind(id)
            .bind(next.stored.state.failures)
            .bind(next.stored.state.mark.as_micros())
            .bind(next.admits_at.as_micros())
            .bind(next.stored.told_at.as_micros())
            .bind(next.forget_at.as_micros())
    )?;
    Ok(())
}

/// Takes back a charge of a bucket that counts in a row: `charged` is the mark that it set, `former` the one before.
pub(super) async fn give_back_in_a_row(
    tx: &mut Tx<'_>,
    id: &str,
    charged: UtcMicros,
    former: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(GIVE_BACK_IN_A_ROW)
            .bind(id)
            .bind(charged.as_micros())
            .bind(former.as_micros())
    )?;
    Ok(())
}

/// Takes back a charge of a bucket that refills by one in each `every_micros`.
pub(super) async fn give_back_rate(
    tx: &mut Tx<'_>,
    id: &str,
    every_micros: i64,
) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(GIVE_BACK_RATE).bind(id).bind(every_micros))?;
    Ok(())
}

/// Forgets what a bucket has seen; whether there was one.
pub(super) async fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(DELETE).bind(id))? > 0)
}

/// Deletes buckets that are as good as unused, and those beyond the number that is kept.
pub(super) async fn purge(tx: &mut Tx<'_>, kept_max: i64, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(&mut *tx, sqlx::query(DELETE_FORGOTTEN).bind(now.as_micros()))?;
    execute!(tx, sqlx::query(DELETE_LEAST).bind(kept_max).bind(i64::MAX))?;
    Ok(())
}
