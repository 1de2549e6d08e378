//! Reads the log in its own order, for everything that follows it.
//!
//! A follower keeps how far it has come in a row of its own and moves it in the transaction that stores what it made of the
//! events, so that it takes each of them exactly once, whoever leads and whatever crashes.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, read};
use shared::event::{Event, wire};
use sqlx::FromRow;
use tokio::sync::watch;
use tokio::time::timeout;

use super::EventLog;

/// Batches that are looked at in one step at most.
const BATCHES_MAX: i64 = 256;

/// How often a follower looks although its own process has put nothing in order: another collector may lead.
const POLL: Duration = Duration::from_millis(200);

/// The same where there are no other collectors.
const POLL_ALONE: Duration = Duration::from_secs(1);

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Positioned {
    /// How many events stand before it.
    pub position: u64,
    /// When it was stored, by the collector's clock.
    pub recorded_at: UtcMicros,
    /// Whether the producer's clock was far from the collector's.
    pub time_suspect: bool,
    /// What it says; `None` if its bytes are no event any more, which only a change of the database can cause.
    pub event: Option<Event>,
    /// The bytes it came in.
    pub body: Vec<u8>,
}

/// Tells when the log may have grown.
#[derive(Debug)]
pub struct Growth {
    told: watch::Receiver<()>,
    poll: Duration,
}

impl Growth {
    /// Waits for word of the leader in this process, or a moment in which another one may have gone on. Dropping the
    /// future loses nothing.
    pub async fn awaited(&mut self) {
        // Either is a reason to look.
        drop(timeout(self.poll, self.told.changed()).await);
    }
}

#[derive(FromRow)]
struct PositionedRow {
    position: i64,
    recorded_at: i64,
    time_suspect: bool,
    body: Vec<u8>,
}

impl From<PositionedRow> for Positioned {
    fn from(row: PositionedRow) -> Self {
        Self {
            // Positions count from 0 on.
            position: row.position.cast_unsigned(),
            recorded_at: UtcMicros::from_micros(row.recorded_at),
            time_suspect: row.time_suspect,
            event: wire::decode(&row.body).ok(),
            body: row.body,
        }
    }
}

impl EventLog {
    /// How many events have a place in the log.
    pub async fn size(&self) -> Result<u64, DatabaseError> {
        let select = "SELECT size FROM log_state WHERE id = 1";
        let (size,): (i64,) = read!(fetch_one, self.database, sqlx::query_as(select))?;
        Ok(size.cast_unsigned())
    }

    /// What tells when the log may have grown.
    pub fn growth(&self) -> Growth {
        Growth {
            told: self.grown.subscribe(),
            poll: if self.database.is_postgres() {
                POLL
            } else {
                POLL_ALONE
            },
        }
    }

    /// Tells the followers in this process that the log has grown.
    pub(crate) fn tell_growth(&self) {
        self.grown.send_replace(());
    }

    /// The first `limit` events at or after `from`, in the log's order. None if there is none yet.
    ///
    /// Positions of events that retention has removed are skipped, so that the next call begins after the last one returned.
    pub async fn read_positions(&self, from: u64, limit: usize) -> Result<Vec<Positioned>, DatabaseError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut from = from.cast_signed();
        loop {
            let Some(stretch) = stretch_from(&self.database, from, limit).await? else {
                return Ok(Vec::new());
            };
            let events = events_of(&self.database, &stretch).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            // All of these were removed.
            from = stretch.end;
        }
    }
}

/// Positions that follow each other, and what is known of the batches that hold them.
struct Stretch {
    /// Where the first of the batches begins.
    batches_from: i64,
    /// The first position.
    from: i64,
    /// The first position after.
    end: i64,
}

/// The next `limit` positions from `from` on, or the next of them; `None` at the end of the log.
async fn stretch_from(database: &Database, from: i64, limit: i64) -> Result<Option<Stretch>, DatabaseError> {
    let select = "SELECT first_position, events FROM batch \
        WHERE first_position >= COALESCE((SELECT MAX(first_position) FROM batch WHERE first_position <= $1), $1) \
        ORDER BY first_position LIMIT $2";
    let batches: Vec<(i64, i32)> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(from).bind(BATCHES_MAX)
    )?;
    let ends = |(first, events): (i64, i32)| first + i64::from(events);
    let mut batches = batches.into_iter().filter(|batch| ends(*batch) > from);
    let Some(first) = batches.next() else {
        return Ok(None);
    };
    let from = from.max(first.0);
    let last = batches
        .take_while(|batch| batch.0 < from.saturating_add(limit))
        .last();
    Ok(Some(Stretch {
        batches_from: first.0,
        from,
        end: ends(last.unwrap_or(first)).min(from.saturating_add(limit)),
    }))
}

/// What is left of a stretch's events, in order.
async fn events_of(database: &Database, stretch: &Stretch) -> Result<Vec<Positioned>, DatabaseError> {
    let select = "SELECT b.first_position + e.ordinal AS position, b.recorded_at, e.time_suspect, e.body \
        FROM batch b JOIN event e ON e.batch_id = b.id \
        WHERE b.first_position >= $1 AND b.first_position < $3 \
        AND b.first_position + e.ordinal >= $2 AND b.first_position + e.ordinal < $3 \
        ORDER BY b.first_position, e.ordinal";
    let rows: Vec<PositionedRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(select)
            .bind(stretch.batches_from)
            .bind(stretch.from)
            .bind(stretch.end)
    )?;
    Ok(rows.into_iter().map(Positioned::from).collect())
}
