//! What the detection keeps: how far it has come, and what must be judged again.

use std::collections::HashMap;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Hold, Tx, execute, fetch, read};
use shared::event::{event_id, stable_event_id};
use uuid::Uuid;

use super::engine::{Again, Fingerprint, Memory, MemoryKey, Outcome};
use super::memory;
use super::rule::RuleSet;
use super::silence::store::in_force;
use super::standing::store::all_within;
use super::telling::Decided;
use crate::notification::{self, Receiver};
use crate::response::Ended;
use crate::{alert, response};

/// How far a producer's clock may be ahead without being suspect: an event may be stored that long before it happens.
const AHEAD_MAX: std::time::Duration = std::time::Duration::from_mins(5);

/// How far the log has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The position that is read next.
    pub(super) position: u64,
    /// The time of storing of the last event before it.
    pub(super) watermark: UtcMicros,
    /// The memories that are stored know the events before this position.
    pub(super) memories: u64,
}

pub(super) async fn state(database: &Database) -> Result<State, DatabaseError> {
    let select = "SELECT position, watermark, memories_position FROM detection_state WHERE id = 1";
    let (position, watermark, memories): (i64, i64, i64) =
        read!(fetch_one, database, sqlx::query_as(select))?;
    Ok(State {
        position: position.cast_unsigned(),
        watermark: UtcMicros::from_micros(watermark),
        memories: memories.cast_unsigned(),
    })
}

/// What a step is to store.
#[derive(Debug)]
pub(super) struct Step<'s> {
    pub(super) before: State,
    pub(super) after: State,
    pub(super) outcome: &'s Outcome,
    pub(super) again: Option<Again>,
    /// What the events told to have ended that may have been ordered.
    pub(super) ended: Vec<Ended>,
    pub(super) given: Given<'s>,
}

/// By what it is decided who is told and what is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'s> {
    pub(super) rules: &'s RuleSet,
    pub(super) receivers: &'s [Receiver],
    pub(super) now: UtcMicros,
}

/// Stores what a step found together with how far it has come, in one transaction on the leader's own connection.
pub(super) async fn commit(hold: &mut Hold, step: &Step<'_>) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    let update = "UPDATE detection_state SET position = $1, watermark = $2 WHERE id = 1 AND position = $3";
    let moved = execute!(
        &mut tx,
        sqlx::query(update)
            .bind(step.after.position.cast_signed())
            .bind(step.after.watermark.as_micros())
            .bind(step.before.position.cast_signed())
    )?;
    // Another leader has come further: what is known here is out of date.
    if moved == 0 {
        return Err(DatabaseError::Raced);
    }
    keep(&mut tx, step.outcome, step.given).await?;
    response::end_elsewhere(&mut tx, &step.ended).await?;
    if let Some(again) = step.again {
        let id = event_id(step.given.now);
        note_again(&mut tx, Due { id, again }).await?;
    }
    tx.commit().await
}

async fn keep(
    tx: &mut Tx<'_>,
    outcome: &Outcome,
    Given {
        rules,
        receivers,
        now,
    }: Given<'_>,
) -> Result<(), DatabaseError> {
    for fingerprint in &outcome.withdrawn {
        alert::withdraw(tx, *fingerprint, now).await?;
        notification::tell_withdrawn(tx, *fingerprint, now).await?;
    }
    let decided = decided(tx, outcome, now).await?;
    for finding in &outcome.raised {
        let telling = decided.telling(rules, finding, now);
        let is_new = alert::keep(tx, finding, telling, now).await?;
        if telling.is_told() {
            notification::tell_found(tx, receivers, (finding, is_new), now).await?;
            response::order_by_rule(tx, finding, now).await?;
        }
    }
    Ok(())
}

/// Stores what memories have become by the events before the position of `state`.
pub(super) async fn keep_memories(
    hold: &mut Hold,
    state: State,
    memories: &HashMap<MemoryKey, Memory>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    let update = "UPDATE detection_state SET memories_position = $1 WHERE id = 1 AND position = $1";
    let position = state.position.cast_signed();
    // Another leader has come further: these are out of date.
    if execute!(&mut tx, sqlx::query(update).bind(position))? == 0 {
        return Err(DatabaseError::Raced);
    }
    memory::keep(&mut tx, memories, now).await?;
    tx.commit().await
}

/// What people have decided about what is told. Read where findings are stored, so that every collector follows at once.
async fn decided(tx: &mut Tx<'_>, outcome: &Outcome, now: UtcMicros) -> Result<Decided, DatabaseError> {
    if outcome.raised.is_empty() {
        return Ok(Decided::default());
    }
    Ok(Decided {
        standings: all_within(tx).await?,
        silences: in_force(tx, now).await?,
    })
}

/// The position of the first event that may have happened at `from` or later.
pub(super) async fn first_position(
    database: &Database,
    from: UtcMicros,
) -> Result<Option<u64>, DatabaseError> {
    let select = "SELECT MIN(first_position) FROM batch WHERE id >= $1 AND first_position IS NOT NULL";
    let first = stable_event_id(from.minus(AHEAD_MAX), &[0; 10]);
    let (position,): (Option<i64>,) = read!(fetch_one, database, sqlx::query_as(select).bind(first))?;
    Ok(position.map(i64::cast_unsigned))
}

/// When the first event of the log was stored: what happened before may be missing of it.
pub(super) async fn beginning(database: &Database) -> Result<Option<UtcMicros>, DatabaseError> {
    let select =
        "SELECT recorded_at FROM batch WHERE first_position IS NOT NULL ORDER BY first_position LIMIT 1";
    let row: Option<(i64,)> = read!(fetch_optional, database, sqlx::query_as(select))?;
    Ok(row.map(|(micros,)| UtcMicros::from_micros(micros)))
}

/// A stretch that is to be judged again, and the row that notes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    id: Uuid,
    pub(super) again: Again,
}

/// All that must be judged again, put together to one stretch: what is noted from now on is for the next time.
pub(super) async fn due(hold: &mut Hold, now: UtcMicros) -> Result<Option<Due>, DatabaseError> {
    let mut tx = hold.begin().await?;
    let select = "SELECT MIN(since), MAX(until) FROM detection_again";
    let (since, until): (Option<i64>, Option<i64>) = fetch!(fetch_one, &mut tx, sqlx::query_as(select))?;
    let Some((since, until)) = since.zip(until) else {
        return Ok(None);
    };
    execute!(&mut tx, sqlx::query("DELETE FROM detection_again"))?;
    let due = Due {
        id: event_id(now),
        again: Again {
            from: UtcMicros::from_micros(since),
            until: UtcMicros::from_micros(until),
        },
    };
    note_again(&mut tx, due).await?;
    tx.commit().await?;
    Ok(Some(due))
}

async fn note_again(tx: &mut Tx<'_>, Due { id, again }: Due) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO detection_again (id, since, until) VALUES ($1, $2, $3)";
    let (since, until) = (again.from.as_micros(), again.until.as_micros());
    execute!(tx, sqlx::query(insert).bind(id).bind(since).bind(until))?;
    Ok(())
}

/// Stores what judging again found, and that it is done.
pub(super) async fn settle(
    hold: &mut Hold,
    due: Due,
    outcome: &Outcome,
    given: Given<'_>,
) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    keep(&mut tx, outcome, given).await?;
    let delete = "DELETE FROM detection_again WHERE id = $1";
    execute!(&mut tx, sqlx::query(delete).bind(due.id))?;
    tx.commit().await
}

/// Notes that an alert's event is written.
pub(super) async fn note_told(hold: &mut Hold, told: &crate::alert::AlertBody) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    alert::retold(&mut tx, told).await?;
    tx.commit().await
}

/// The fingerprints that stand; for tests.
pub async fn standing(database: &Database) -> Result<Vec<Fingerprint>, DatabaseError> {
    let all = alert::told_in(
        database,
        UtcMicros::from_micros(i64::MIN),
        UtcMicros::from_micros(i64::MAX),
    )
    .await?;
    Ok(all.into_iter().map(|(told, _)| told.fingerprint).collect())
}
