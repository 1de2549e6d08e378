//! The ledger at rest: the progress and what it was made of change in one transaction.

use std::collections::{BTreeMap, HashSet};

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use shared::event::Source;
use shared::spool::EventDigest;
use sqlx::FromRow;
use uuid::Uuid;

use super::answer::{Kept, Standings};
use super::ledger::{DeadNumber, Ledger, Progress};
use super::source::Record;
use crate::search::Period;

/// Numbers of dead letters that are counted in one step.
const DEAD_MAX: i64 = 1_000;

/// Sources that an answer looks at, at most.
pub(super) const SOURCES_MAX: usize = 1_000;

const SELECT: &str = "SELECT service, instance, boot, state FROM source";

const SAVE: &str = "INSERT INTO source (service, instance, boot, first_time, last_time, standing, is_watched, is_sound, \
        gaps, missing, state) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
    ON CONFLICT (service, instance, boot) DO UPDATE SET first_time = excluded.first_time, last_time = excluded.last_time, \
        standing = excluded.standing, is_watched = excluded.is_watched, is_sound = excluded.is_sound, \
        gaps = excluded.gaps, missing = excluded.missing, state = excluded.state";

#[derive(FromRow)]
struct SourceRow {
    service: String,
    instance: String,
    boot: Uuid,
    state: String,
}

impl SourceRow {
    fn read(self) -> Result<(Source, Record), DatabaseError> {
        let source = Source {
            service: self.service,
            instance: self.instance,
            boot: self.boot,
        };
        Ok((source, serde_json::from_str(&self.state).map_err(unreadable)?))
    }
}

#[derive(FromRow)]
struct DeadRow {
    letter_id: Uuid,
    received_at: i64,
    service: String,
    instance: String,
    boot: Uuid,
    seq: i64,
    digest: Vec<u8>,
}

#[derive(FromRow)]
struct KeptRow {
    service: String,
    instance: String,
    boot: Uuid,
    state: String,
    next_boot: Option<i64>,
}

/// A state that cannot be read was changed by somebody else, or is a newer version's.
fn unreadable(error: serde_json::Error) -> DatabaseError {
    sqlx::Error::Decode(Box::new(error)).into()
}

/// What was counted so far.
pub(super) async fn load(tx: &mut Tx<'_>) -> Result<Ledger, DatabaseError> {
    let progress: Option<(String,)> = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as("SELECT state FROM completeness WHERE id = 1")
    )?;
    let progress: Progress = match progress {
        Some((state,)) => serde_json::from_str(&state).map_err(unreadable)?,
        None => Progress::default(),
    };
    let watched = format!("{SELECT} WHERE is_watched = TRUE");
    let rows: Vec<SourceRow> = fetch!(
        fetch_all,
        tx,
        sqlx::query_as(sqlx::AssertSqlSafe(watched.clone()))
    )?;
    let watched: Vec<_> = rows.into_iter().map(SourceRow::read).collect::<Result<_, _>>()?;
    Ok(Ledger::of(progress, watched.into_iter()))
}

/// Has the ledger hold what was kept of `sources`.
pub(super) async fn load_sources(
    tx: &mut Tx<'_>,
    ledger: &mut Ledger,
    sources: HashSet<&Source>,
) -> Result<(), DatabaseError> {
    let one = format!("{SELECT} WHERE service = $1 AND instance = $2 AND boot = $3");
    for source in sources {
        if ledger.holds(source) {
            continue;
        }
        let row: Option<SourceRow> = fetch!(
            fetch_optional,
            tx,
            sqlx::query_as(sqlx::AssertSqlSafe(one.clone()))
                .bind(&source.service)
                .bind(&source.instance)
                .bind(source.boot)
        )?;
        if let Some(row) = row {
            let (source, record) = row.read()?;
            ledger.load(source, record);
        }
    }
    Ok(())
}

/// Whether dead letters fill numbers that were not counted.
pub(super) async fn has_dead_numbers(database: &Database) -> Result<bool, DatabaseError> {
    let select = "SELECT EXISTS (SELECT 1 FROM dead_number)";
    let (any,): (bool,) = read!(fetch_one, database, sqlx::query_as(select))?;
    Ok(any)
}

/// The next numbers that dead letters fill.
pub(super) async fn dead_numbers(tx: &mut Tx<'_>) -> Result<Vec<DeadNumber>, DatabaseError> {
    let select =
        "SELECT letter_id, received_at, service, instance, boot, seq, digest FROM dead_number LIMIT $1";
    let rows: Vec<DeadRow> = fetch!(fetch_all, tx, sqlx::query_as(select).bind(DEAD_MAX))?;
    let numbers = rows.into_iter().map(|row| DeadNumber {
        letter: row.letter_id,
        source: Source {
            service: row.service,
            instance: row.instance,
            boot: row.boot,
        },
        number: row.seq.cast_unsigned(),
        // Another length was put there by somebody else, and is no event's.
        digest: EventDigest::try_from(row.digest.as_slice()).unwrap_or_default(),
        received_at: UtcMicros::from_micros(row.received_at),
    });
    Ok(numbers.collect())
}

/// Keeps what changed.
pub(super) async fn save(
    tx: &mut Tx<'_>,
    ledger: &mut Ledger,
    dead: &[DeadNumber],
) -> Result<(), DatabaseError> {
    let mut replayed = HashSet::new();
    for id in ledger.reused() {
        let select = "SELECT id FROM replayed_event WHERE id = $1";
        let row: Option<(Uuid,)> = fetch!(fetch_optional, tx, sqlx::query_as(select).bind(id))?;
        replayed.extend(row.map(|(id,)| id));
    }
    ledger.note_reused(&replayed);
    for (source, record) in ledger.changed() {
        execute!(
            tx,
            sqlx::query(SAVE)
                .bind(&source.service)
                .bind(&source.instance)
                .bind(source.boot)
                .bind(record.first_time.as_micros())
                .bind(record.last_time.as_micros())
                .bind(record.standing().as_str())
                .bind(record.is_watched())
                .bind(record.is_sound())
                .bind(i64::try_from(record.numbers.gaps().count()).unwrap_or(i64::MAX))
                .bind(i64::try_from(record.numbers.missing()).unwrap_or(i64::MAX))
                .bind(serde_json::to_string(record).map_err(unreadable)?)
        )?;
    }
    for number in dead {
        let forget = "DELETE FROM dead_number WHERE letter_id = $1";
        execute!(tx, sqlx::query(forget).bind(number.letter))?;
    }
    let keep = "INSERT INTO completeness (id, position, state) VALUES (1, $1, $2) \
        ON CONFLICT (id) DO UPDATE SET position = excluded.position, state = excluded.state";
    execute!(
        tx,
        sqlx::query(keep)
            .bind(ledger.progress.position.cast_signed())
            .bind(serde_json::to_string(&ledger.progress).map_err(unreadable)?)
    )?;
    Ok(())
}

/// How many events have a place in the log and were not counted.
pub(super) async fn lag(database: &Database) -> Result<u64, DatabaseError> {
    let select = "SELECT size - COALESCE((SELECT position FROM completeness WHERE id = 1), 0) FROM log_state WHERE id = 1";
    let (lag,): (i64,) = read!(fetch_one, database, sqlx::query_as(select))?;
    Ok(u64::try_from(lag).unwrap_or(0))
}

/// Sources by service and standing, with their gaps and missing numbers.
pub(super) async fn standings(database: &Database) -> Result<Standings, DatabaseError> {
    let select = "SELECT service, standing, COUNT(*), CAST(SUM(gaps) AS BIGINT), \
        CAST(SUM(CASE WHEN missing > 1000000000 THEN 1000000000 ELSE missing END) AS BIGINT) \
        FROM source GROUP BY service, standing";
    let rows: Vec<(String, String, i64, i64, i64)> = read!(fetch_all, database, sqlx::query_as(select))?;
    let mut standings = BTreeMap::new();
    for (service, standing, sources, gaps, missing) in rows {
        standings.insert((service, standing), (sources, gaps, missing));
    }
    Ok(Standings(standings))
}

/// Whether any source was heard before that moment, or ever.
pub(super) async fn is_heard_before(
    database: &Database,
    moment: Option<UtcMicros>,
) -> Result<bool, DatabaseError> {
    let select = "SELECT EXISTS (SELECT 1 FROM source WHERE first_time < $1)";
    let before = moment.map_or(i64::MAX, UtcMicros::as_micros);
    let (is_heard,): (bool,) = read!(fetch_one, database, sqlx::query_as(select).bind(before))?;
    Ok(is_heard)
}

/// What an answer about a period has to look at: sources that have not ended or are not sound, the latest first.
pub(super) async fn kept_of(database: &Database, period: &Period) -> Result<Vec<Kept>, DatabaseError> {
    let select = "SELECT s.service, s.instance, s.boot, s.state, \
            (SELECT MIN(n.first_time) FROM source n WHERE n.service = s.service AND n.instance = s.instance \
             AND n.first_time > s.last_time) AS next_boot \
        FROM source s \
        WHERE (s.is_sound = FALSE OR s.standing <> 'ended') AND s.first_time < $1 \
            AND (s.last_time >= $2 OR s.standing <> 'ended') \
        ORDER BY s.last_time DESC LIMIT $3";
    let (from, to) = (
        period.from.map_or(i64::MIN, UtcMicros::as_micros),
        period.to.map_or(i64::MAX, UtcMicros::as_micros),
    );
    let limit = i64::try_from(SOURCES_MAX).unwrap_or(i64::MAX);
    let rows: Vec<KeptRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(to).bind(from).bind(limit)
    )?;
    let kept = rows.into_iter().map(|row| {
        let next_boot = row.next_boot.map(UtcMicros::from_micros);
        let row = SourceRow {
            service: row.service,
            instance: row.instance,
            boot: row.boot,
            state: row.state,
        };
        let (source, record) = row.read()?;
        Ok(Kept {
            source,
            record,
            next_boot,
        })
    });
    kept.collect()
}
