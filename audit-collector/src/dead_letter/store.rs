//! Dead letters at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, read};
use shared::event::bounded;
use shared::spool::event_digest;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::DeadLetter;
use super::kept::KeptLetter;
use super::wanted::Wanted;
use crate::event_log::EventLog;

/// The bytes of a dead letter that are kept: as many as an event may have.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// The longest publisher's name that is kept, in bytes; AMQP's short strings have 255.
const PUBLISHER_BYTES_MAX: usize = 255;

const INSERT: &str = "INSERT INTO dead_letter \
    (id, received_at, last_received_at, times, reason, publisher, body, body_bytes) \
    VALUES ($1, $2, $2, 1, $3, $4, $5, $6) \
    ON CONFLICT (id) DO UPDATE SET times = dead_letter.times + 1, last_received_at = excluded.last_received_at";

const INSERT_NUMBER: &str = "INSERT INTO dead_number (letter_id, received_at, service, instance, boot, seq, digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (letter_id) DO NOTHING";

/// Keeps a letter; one that is kept already is counted. The number that it fills is told to whoever counts.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    letter: &DeadLetter,
    received_at: UtcMicros,
) -> Result<(), DatabaseError> {
    let id = letter.id();
    let kept = letter.body.get(..BODY_BYTES_MAX).unwrap_or(&letter.body);
    let publisher = letter.publisher.as_deref();
    let body_bytes = i32::try_from(letter.body.len()).unwrap_or(i32::MAX);
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(id)
            .bind(received_at.as_micros())
            .bind(letter.reason)
            .bind(publisher.map(|name| bounded(&name.replace('\0', "\u{fffd}"), PUBLISHER_BYTES_MAX)))
            .bind(kept.to_vec())
            .bind(body_bytes)
    )?;
    let Some(numbered) = letter.numbered() else {
        return Ok(());
    };
    execute!(
        tx,
        sqlx::query(INSERT_NUMBER)
            .bind(id)
            .bind(received_at.as_micros())
            .bind(&numbered.source.service)
            .bind(&numbered.source.instance)
            .bind(numbered.source.boot)
            .bind(numbered.seq.cast_signed())
            .bind(event_digest(&letter.body).to_vec())
    )?;
    Ok(())
}

const SELECT: &str =
    "SELECT id, received_at, last_received_at, times, reason, publisher, body, body_bytes FROM dead_letter";

#[derive(FromRow)]
struct LetterRow {
    id: Uuid,
    received_at: i64,
    last_received_at: Option<i64>,
    times: i32,
    reason: String,
    publisher: Option<String>,
    body: Vec<u8>,
    body_bytes: i32,
}

impl From<LetterRow> for KeptLetter {
    fn from(row: LetterRow) -> Self {
        let last = row.last_received_at.unwrap_or(row.received_at);
        Self {
            id: row.id,
            received_at: UtcMicros::from_micros(row.received_at),
            last_received_at: UtcMicros::from_micros(last),
            times: row.times,
            reason: row.reason,
            publisher: row.publisher,
            bytes: row.body_bytes,
            body: row.body,
        }
    }
}

impl EventLog {
    /// The dead letters that `wanted` asks for, the latest first, and one more if there are more.
    pub(super) async fn dead_letters(&self, wanted: &Wanted) -> Result<Vec<KeptLetter>, DatabaseError> {
        let select = format!(
            "{SELECT} WHERE received_at >= $1 AND received_at < $2 AND ($3 = '' OR reason = $3) \
             AND ($7 = '' OR publisher = $7) AND (received_at, id) < ($4, $5) ORDER BY received_at DESC, id DESC LIMIT $6"
        );
        let (received_at, id) = wanted.after.map_or((i64::MAX, Uuid::max()), |after| {
            (after.received_at.as_micros(), after.id)
        });
        let which = &wanted.which;
        let rows: Vec<LetterRow> = read!(
            fetch_all,
            self.database(),
            sqlx::query_as(AssertSqlSafe(select.clone()))
                .bind(which.period.from.map_or(i64::MIN, UtcMicros::as_micros))
                .bind(which.period.to.map_or(i64::MAX, UtcMicros::as_micros))
                .bind(which.reason.as_deref().unwrap_or_default())
                .bind(received_at)
                .bind(id)
                .bind(i64::from(wanted.limit) + 1)
                .bind(which.publisher.as_deref().unwrap_or_default())
        )?;
        Ok(rows.into_iter().map(KeptLetter::from).collect())
    }

    /// The dead letter with that id.
    pub(super) async fn dead_letter(&self, id: Uuid) -> Result<Option<KeptLetter>, DatabaseError> {
        let select = format!("{SELECT} WHERE id = $1");
        let row: Option<LetterRow> = read!(
            fetch_optional,
            self.database(),
            sqlx::query_as(AssertSqlSafe(select.clone())).bind(id)
        )?;
        Ok(row.map(KeptLetter::from))
    }

    /// Notes that the number of the event with that id was filled by a dead letter before the event comes into the log.
    pub(super) async fn note_replay(&self, event: Uuid) -> Result<(), DatabaseError> {
        let insert = "INSERT INTO replayed_event (id) VALUES ($1) ON CONFLICT (id) DO NOTHING";
        let mut tx = self.database().write().await?;
        execute!(&mut tx, sqlx::query(insert).bind(event))?;
        self.database().commit(tx).await
    }

    /// A transaction in which the dead letter is removed; `None` if somebody else has removed it.
    pub(super) async fn removal(&self, id: Uuid) -> Result<Option<Tx<'static>>, DatabaseError> {
        let mut tx = self.database().write().await?;
        let remove = "DELETE FROM dead_letter WHERE id = $1";
        let removed = execute!(&mut tx, sqlx::query(remove).bind(id))?;
        Ok((removed > 0).then_some(tx))
    }
}
