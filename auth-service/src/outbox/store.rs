//! The outbox at rest.

use shared::clock::UtcMicros;
use shared::event::Draft;
use shared::spool::RunningHash;
use shared::transport::{Message, Numbered};
use uuid::Uuid;

use super::Waiting;
use super::number::Head;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};

const CREATE_HEAD: &str = "INSERT INTO outbox_head (only_row, boot, last_seq, running_hash)
    VALUES (1, $1, 0, $2) ON CONFLICT DO NOTHING";
const INSERT: &str = "INSERT INTO outbox (event_id, occurred_at, facts) VALUES ($1, $2, $3)";
const INSERT_BOTH: &str =
    "INSERT INTO outbox (event_id, occurred_at, facts) VALUES ($1, $2, $3), ($4, $5, $6)";
const SELECT_HEAD: &str = "SELECT boot, last_seq, running_hash FROM outbox_head WHERE only_row = 1";
const ADVANCE_HEAD: &str = "UPDATE outbox_head SET last_seq = $1, running_hash = $2
    WHERE only_row = 1 AND last_seq = $3";
const SELECT_UNNUMBERED: &str = "SELECT position, event_id, occurred_at, facts FROM outbox
    WHERE seq IS NULL ORDER BY position LIMIT $1";
const SET_NUMBER: &str = "UPDATE outbox SET seq = $1, routing_key = $2, body = $3 WHERE position = $4";
const INSERT_NUMBERED: &str = "INSERT INTO outbox (event_id, occurred_at, facts, seq, routing_key, body)
    VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT_NUMBERED: &str = "SELECT seq, routing_key, body FROM outbox
    WHERE seq > $1 ORDER BY seq LIMIT $2";
const DELETE_CONFIRMED: &str = "DELETE FROM outbox WHERE seq <= $1";
const HAS_WORK: &str = "SELECT EXISTS (SELECT 1 FROM outbox WHERE seq IS NULL)
    OR EXISTS (SELECT 1 FROM outbox_head WHERE last_seq = 0)";
const SELECT_WAITING: &str = "SELECT COUNT(*), MIN(occurred_at) FROM outbox";

const SELECT_WAITING_NUMBERED: &str =
    "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(body)), 0) AS BIGINT) FROM outbox
    WHERE seq IS NOT NULL";
const SELECT_AFTER: &str =
    "SELECT position, facts, body FROM outbox WHERE position > $1 ORDER BY position LIMIT $2";

/// Events that have a number and wait for its confirm.
pub(super) struct WaitingNumbered {
    pub(super) count: i64,
    pub(super) bytes: i64,
}

/// An event as it is stored: with its facts, and once it has a number, with its bytes.
#[derive(sqlx::FromRow)]
pub(super) struct Stored {
    pub(super) position: i64,
    pub(super) facts: String,
    pub(super) body: Option<Vec<u8>>,
}

/// An event that has no number yet.
pub(super) struct Unnumbered {
    pub(super) position: i64,
    pub(super) draft: Draft,
}

#[derive(sqlx::FromRow)]
struct UnnumberedRow {
    position: i64,
    event_id: String,
    occurred_at: i64,
    facts: String,
}

/// Why what is stored cannot be relayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the outbox holds an event that cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the outbox holds an id or a hash that cannot be read")]
    Malformed,
}

pub(super) async fn create_head(tx: &mut Tx<'_>, boot: Uuid) -> Result<(), DatabaseError> {
    let zero = RunningHash::default();
    execute!(
        tx,
        sqlx::query(CREATE_HEAD)
            .bind(boot.to_string())
            .bind(zero.as_bytes())
    )?;
    Ok(())
}

/// Adds an event with its facts in JSON.
pub(super) async fn insert(tx: &mut Tx<'_>, (draft, facts): (&Draft, &str)) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(draft.id.to_string())
            .bind(draft.time.as_micros())
            .bind(facts)
    )?;
    Ok(())
}

/// Adds two events, the first before the second.
pub(super) async fn insert_both(
    tx: &mut Tx<'_>,
    (first, first_facts): (&Draft, &str),
    (second, second_facts): (&Draft, &str),
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT_BOTH)
            .bind(first.id.to_string())
            .bind(first.time.as_micros())
            .bind(first_facts)
            .bind(second.id.to_string())
            .bind(second.time.as_micros())
            .bind(second_facts)
    )?;
    Ok(())
}

pub(super) async fn head(tx: &mut Tx<'_>) -> Result<Head, StoreError> {
    let (boot, last_seq, hash) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (String, i64, Vec<u8>)>(SELECT_HEAD)
    )?;
    Ok(Head {
        boot: Uuid::try_parse(&boot).map_err(|_| StoreError::Malformed)?,
        last_seq: u64::try_from(last_seq).map_err(|_| StoreError::Malformed)?,
        running_hash: RunningHash::from_bytes(&hash).ok_or(StoreError::Malformed)?,
    })
}

/// Moves the head on; `false` if another process has moved it meanwhile.
pub(super) async fn advance_head(tx: &mut Tx<'_>, from: &Head, to: &Head) -> Result<bool, DatabaseError> {
    let moved = execute!(
        tx,
        sqlx::query(ADVANCE_HEAD)
            .bind(number(to.last_seq))
            .bind(to.running_hash.as_bytes())
            .bind(number(from.last_seq))
    )?;
    Ok(moved == 1)
}

/// Whether anything waits for a number: an event, or the first one of a new outbox.
pub(super) async fn has_work(database: &Database) -> Result<bool, DatabaseError> {
    let (any,) = read!(fetch_one, database, sqlx::query_as::<_, (bool,)>(HAS_WORK))?;
    Ok(any)
}

pub(super) async fn waiting(tx: &mut Tx<'_>) -> Result<Waiting, DatabaseError> {
    let (count, oldest) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64, Option<i64>)>(SELECT_WAITING)
    )?;
    Ok(Waiting {
        count,
        oldest: oldest.map(UtcMicros::from_micros),
    })
}

pub(super) async fn waiting_numbered(tx: &mut Tx<'_>) -> Result<WaitingNumbered, DatabaseError> {
    let (count, bytes) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64, i64)>(SELECT_WAITING_NUMBERED)
    )?;
    Ok(WaitingNumbered { count, bytes })
}

/// Events after that position, in the order in which they were added.
pub(super) async fn stored_after(
    tx: &mut Tx<'_>,
    position: i64,
    count_max: i64,
) -> Result<Vec<Stored>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Stored>(SELECT_AFTER)
            .bind(position)
            .bind(count_max)
    )
}

pub(super) async fn unnumbered(tx: &mut Tx<'_>, count_max: usize) -> Result<Vec<Unnumbered>, StoreError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, UnnumberedRow>(SELECT_UNNUMBERED).bind(limit(count_max))
    )?;
    rows.into_iter()
        .map(|row| {
            Ok(Unnumbered {
                position: row.position,
                draft: Draft {
                    id: Uuid::try_parse(&row.event_id).map_err(|_| StoreError::Malformed)?,
                    time: UtcMicros::from_micros(row.occurred_at),
                    facts: serde_json::from_str(&row.facts)?,
                },
            })
        })
        .collect()
}

pub(super) async fn set_number(
    tx: &mut Tx<'_>,
    position: i64,
    numbered: &Numbered,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(SET_NUMBER)
            .bind(number(numbered.seq))
            .bind(&numbered.message.routing_key)
            .bind(numbered.message.body.as_ref())
            .bind(position)
    )?;
    Ok(())
}

pub(super) async fn insert_numbered(
    tx: &mut Tx<'_>,
    draft: &Draft,
    facts: &str,
    numbered: &Numbered,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT_NUMBERED)
            .bind(draft.id.to_string())
            .bind(draft.time.as_micros())
            .bind(facts)
            .bind(number(numbered.seq))
            .bind(&numbered.message.routing_key)
            .bind(numbered.message.body.as_ref())
    )?;
    Ok(())
}

/// The events that follow that number and are not confirmed.
pub(super) async fn numbered_after(
    database: &Database,
    seq: u64,
    count_max: usize,
) -> Result<Vec<Numbered>, StoreError> {
    let rows = read!(
        fetch_all,
        database,
        sqlx::query_as::<_, (i64, String, Vec<u8>)>(SELECT_NUMBERED)
            .bind(number(seq))
            .bind(limit(count_max))
    )?;
    rows.into_iter()
        .map(|(seq, routing_key, body)| {
            Ok(Numbered {
                seq: u64::try_from(seq).map_err(|_| StoreError::Malformed)?,
                message: Message {
                    routing_key,
                    body: body.into(),
                },
            })
        })
        .collect()
}

pub(super) async fn delete_confirmed(tx: &mut Tx<'_>, up_to: u64) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_CONFIRMED).bind(number(up_to)))?;
    Ok(())
}

/// SQL counts in signed numbers; 2^63 events are never reached.
fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn limit(count_max: usize) -> i64 {
    i64::try_from(count_max).unwrap_or(i64::MAX)
}
