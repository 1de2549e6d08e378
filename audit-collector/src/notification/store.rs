//! Messages and the tries to send them, at rest.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use shared::event::event_id;
use sqlx::FromRow;
use uuid::Uuid;

use super::attempt::{Attempt, Next};
use super::body::{AttemptBody, NotificationBody, Search};
use super::notice::Kind;
use super::receiver::Receiver;
use crate::detection::engine::{Finding, Fingerprint};

/// What happened longer ago is told to nobody: it was imported, or the detection stood still. The console has it.
const FRESH: Duration = Duration::from_hours(24);

/// Why a message was not even tried.
const HELD_BACK: &str = "held back: the receiver got as many messages as it gets in an hour";

/// Tries of a message that are shown at most, the latest.
const ATTEMPTS_MAX: i64 = 100;

/// Makes the messages about an alert that was found, or that grew: nothing if those whom it concerns know it.
pub(crate) async fn tell_found(
    tx: &mut Tx<'_>,
    receivers: &[Receiver],
    (finding, is_new): (&Finding, bool),
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    if is_new && now.since(finding.at) <= FRESH {
        let told = receivers
            .iter()
            .filter(|receiver| receiver.only.covers(&finding.rule));
        for receiver in told {
            add(tx, (finding.fingerprint, &receiver.name), Kind::Raised, now).await?;
        }
    } else if !receivers.is_empty() {
        for receiver in told_of(tx, finding.fingerprint, Kind::Withdrawn).await? {
            add(tx, (finding.fingerprint, &receiver), Kind::Restored, now).await?;
        }
    }
    Ok(())
}

/// Makes the messages about an alert that was withdrawn, for those who know it.
pub(crate) async fn tell_withdrawn(
    tx: &mut Tx<'_>,
    fingerprint: Fingerprint,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    for receiver in told_of(tx, fingerprint, Kind::Raised).await? {
        add(tx, (fingerprint, &receiver), Kind::Withdrawn, now).await?;
    }
    Ok(())
}

async fn told_of(
    tx: &mut Tx<'_>,
    fingerprint: Fingerprint,
    kind: Kind,
) -> Result<Vec<String>, DatabaseError> {
    let select = "SELECT receiver FROM notification WHERE fingerprint = $1 AND kind = $2";
    let rows: Vec<(String,)> = fetch!(
        fetch_all,
        tx,
        sqlx::query_as(select)
            .bind(fingerprint.0.to_vec())
            .bind(kind.as_str())
    )?;
    Ok(rows.into_iter().map(|(receiver,)| receiver).collect())
}

async fn add(
    tx: &mut Tx<'_>,
    (fingerprint, receiver): (Fingerprint, &str),
    kind: Kind,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO notification (id, fingerprint, receiver, kind, made_at, tried_since, next_at) \
        VALUES ($1, $2, $3, $4, $5, $5, $5) ON CONFLICT (fingerprint, receiver, kind) DO NOTHING";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(event_id(now))
            .bind(fingerprint.0.to_vec())
            .bind(receiver)
            .bind(kind.as_str())
            .bind(now.as_micros())
    )?;
    Ok(())
}

/// A message that waits.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) id: Uuid,
    pub(super) fingerprint: Fingerprint,
    pub(super) kind: Kind,
    pub(super) made_at: UtcMicros,
    pub(super) tried_since: UtcMicros,
    /// Tries until now.
    pub(super) attempts: i64,
}

/// The next message for a receiver, of all or of those that somebody asked for. What is to be told later of the same alert waits for
/// what is to be told before.
pub(super) async fn due(
    database: &Database,
    (receiver, only_asked_for): (&str, bool),
    now: UtcMicros,
) -> Result<Option<Due>, DatabaseError> {
    let select = "SELECT n.id, n.fingerprint, n.kind, n.made_at, n.tried_since, n.attempts FROM notification n \
        WHERE n.receiver = $1 AND n.state = 'pending' AND n.next_at <= $2 AND (NOT $3 OR n.tried_since <> n.made_at) AND NOT EXISTS (SELECT 1 FROM notification e \
            WHERE e.fingerprint = n.fingerprint AND e.receiver = n.receiver AND e.state = 'pending' AND e.id < n.id) \
        ORDER BY n.next_at, n.id LIMIT 1";
    let row: Option<(Uuid, Vec<u8>, String, i64, i64, i64)> = read!(
        fetch_optional,
        database,
        sqlx::query_as(select)
            .bind(receiver)
            .bind(now.as_micros())
            .bind(only_asked_for)
    )?;
    let due = row.and_then(|(id, fingerprint, kind, made_at, tried_since, attempts)| {
        Some(Due {
            id,
            fingerprint: Fingerprint(fingerprint.try_into().ok()?),
            kind: Kind::parse(&kind),
            made_at: UtcMicros::from_micros(made_at),
            tried_since: UtcMicros::from_micros(tried_since),
            attempts,
        })
    });
    Ok(due)
}

/// When a try was made, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) begun_at: UtcMicros,
    pub(super) ended_at: UtcMicros,
}

/// Notes what came of the next try to send `due`.
pub(super) async fn note(
    tx: &mut Tx<'_>,
    due: &Due,
    (attempt, taken): (&Attempt, Taken),
    next: Next,
) -> Result<(), DatabaseError> {
    let update = "UPDATE notification SET state = $2, attempts = $3, next_at = $4, ended_at = $5 WHERE id = $1 AND state = 'pending'";
    let ended_at = taken.ended_at.as_micros();
    let (state, next_at, ended_at) = match next {
        Next::Delivered => ("delivered", ended_at, Some(ended_at)),
        Next::Failed => ("failed", ended_at, Some(ended_at)),
        Next::TryAt(at) => ("pending", at.as_micros(), None),
    };
    execute!(
        &mut *tx,
        sqlx::query(update)
            .bind(due.id)
            .bind(state)
            .bind(due.attempts + 1)
            .bind(next_at)
            .bind(ended_at)
    )?;
    let insert = "INSERT INTO notification_attempt (notification, number, begun_at, took, status, problem) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (notification, number) DO NOTHING";
    let took = taken.ended_at.since(taken.begun_at).as_micros();
    execute!(
        tx,
        sqlx::query(insert)
            .bind(due.id)
            .bind(due.attempts + 1)
            .bind(taken.begun_at.as_micros())
            .bind(i64::try_from(took).unwrap_or(i64::MAX))
            .bind(attempt.status.map(i64::from))
            .bind(attempt.problem().map(str::to_owned))
    )?;
    Ok(())
}

/// Receivers for whom messages made before `until` wait.
pub(super) async fn waited_for(database: &Database, until: UtcMicros) -> Result<Vec<String>, DatabaseError> {
    let select = "SELECT DISTINCT receiver FROM notification WHERE state = 'pending' AND made_at < $1";
    let rows: Vec<(String,)> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(until.as_micros())
    )?;
    Ok(rows.into_iter().map(|(receiver,)| receiver).collect())
}

/// Gives up what waits for a receiver that is gone.
pub(super) async fn give_up(tx: &mut Tx<'_>, receiver: &str, now: UtcMicros) -> Result<u64, DatabaseError> {
    let update =
        "UPDATE notification SET state = 'failed', ended_at = $2 WHERE receiver = $1 AND state = 'pending'";
    execute!(tx, sqlx::query(update).bind(receiver).bind(now.as_micros()))
}

/// Has a message that failed tried again, from now on; `false` if it has not failed.
pub(super) async fn retry(tx: &mut Tx<'_>, id: Uuid, now: UtcMicros) -> Result<bool, DatabaseError> {
    let update = "UPDATE notification SET state = 'pending', tried_since = $2, next_at = $2, ended_at = NULL, held = 0 \
        WHERE id = $1 AND state = 'failed'";
    let changed = execute!(tx, sqlx::query(update).bind(id).bind(now.as_micros()))?;
    Ok(changed > 0)
}

/// Messages that wait for each receiver, and when the oldest of them was made.
pub(super) async fn waiting(database: &Database) -> Result<Vec<(String, i64, i64)>, DatabaseError> {
    let select =
        "SELECT receiver, COUNT(*), MIN(made_at) FROM notification WHERE state = 'pending' GROUP BY receiver";
    read!(fetch_all, database, sqlx::query_as(select))
}

const COLUMNS: &str = "n.id, n.fingerprint, n.receiver, n.kind, n.state, n.made_at, n.next_at, n.attempts, n.ended_at, \
    n.held > 0 AS held, a.status, a.problem FROM notification n \
    LEFT JOIN notification_attempt a ON a.notification = n.id AND a.number = n.attempts";

#[derive(FromRow)]
struct Row {
    id: Uuid,
    fingerprint: Vec<u8>,
    receiver: String,
    kind: String,
    state: String,
    made_at: i64,
    next_at: i64,
    attempts: i64,
    ended_at: Option<i64>,
    held: bool,
    status: Option<i64>,
    problem: Option<String>,
}

impl From<Row> for NotificationBody {
    fn from(row: Row) -> Self {
        let fingerprint: Option<[u8; 16]> = row.fingerprint.try_into().ok();
        let next_at = (row.state == "pending").then(|| UtcMicros::from_micros(row.next_at));
        Self {
            id: row.id,
            alert: fingerprint.map_or_else(String::new, |bytes| Fingerprint(bytes).to_string()),
            receiver: row.receiver,
            kind: row.kind,
            state: row.state,
            made_at: UtcMicros::from_micros(row.made_at),
            next_at,
            attempts: row.attempts,
            ended_at: row.ended_at.map(UtcMicros::from_micros),
            status: row.status,
            problem: row.problem.or_else(|| row.held.then(|| HELD_BACK.to_owned())),
        }
    }
}

/// One message more than `limit`, which tells whether there are more; the last made first.
pub(super) async fn find(
    database: &Database,
    search: &Search,
) -> Result<Vec<NotificationBody>, DatabaseError> {
    let select = format!(
        "SELECT {COLUMNS} WHERE ($1 IS NULL OR n.fingerprint = $1) AND ($2 IS NULL OR n.receiver = $2) \
         AND ($3 IS NULL OR n.state = $3) AND n.id < $4 ORDER BY n.id DESC LIMIT $5"
    );
    let rows: Vec<Row> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
            .bind(search.alert.map(|fingerprint| fingerprint.0.to_vec()))
            .bind(search.receiver.clone())
            .bind(search.state)
            .bind(search.after.unwrap_or(Uuid::max()))
            .bind(i64::from(search.limit) + 1)
    )?;
    Ok(rows.into_iter().map(NotificationBody::from).collect())
}

/// One message.
pub(super) async fn one(database: &Database, id: Uuid) -> Result<Option<NotificationBody>, DatabaseError> {
    let select = format!("SELECT {COLUMNS} WHERE n.id = $1");
    let row: Option<Row> = read!(
        fetch_optional,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(id)
    )?;
    Ok(row.map(NotificationBody::from))
}

/// Number, beginning, time taken, status, problem.
type AttemptRow = (i64, i64, i64, Option<i64>, Option<String>);

/// The tries to send a message, the oldest first.
pub(super) async fn attempts(database: &Database, id: Uuid) -> Result<Vec<AttemptBody>, DatabaseError> {
    let select = "SELECT number, begun_at, took, status, problem FROM notification_attempt WHERE notification = $1 \
        ORDER BY number DESC LIMIT $2";
    let rows: Vec<AttemptRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(id).bind(ATTEMPTS_MAX)
    )?;
    let attempt = |(number, begun_at, took_us, status, problem): AttemptRow| AttemptBody {
        number,
        begun_at: UtcMicros::from_micros(begun_at),
        took_us,
        status,
        problem,
    };
    Ok(rows.into_iter().rev().map(attempt).collect())
}
