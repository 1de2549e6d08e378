//! Reads the log in its own order, for everything that follows it.
//!
//! A follower keeps how far it has come in a row of its own and moves it in the transaction that stores what it made of the
//! events, so that it takes each of them exactly once, whoever leads and whatever crashes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, read};
use shared::event::{Event, wire};
use sqlx::FromRow;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::EventLog;
use super::recent::{Member, Origin};
use crate::enrichment::Locality;
use crate::pseudonym::Unsealed;

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
    /// Where its client was.
    pub locality: Locality,
    /// What it says; `None` if its bytes are no event any more, which only a change of the database can cause.
    pub event: Option<Arc<Event>>,
    /// The bytes that are stored of it.
    pub body: Bytes,
    /// What is known here of what it said if it has pseudonyms.
    pub original: Unsealed,
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

/// A part of the log, in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// What is left of it.
    pub(crate) events: Vec<Positioned>,
    /// The first position behind it.
    pub(crate) next: u64,
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

    /// The next events at or after `from`, in the log's order: at most `limit`, and none if there is none yet.
    ///
    /// Positions of events that retention has removed are skipped, so that the next call begins after the last one returned.
    pub async fn read_positions(&self, from: u64, limit: usize) -> Result<Vec<Positioned>, DatabaseError> {
        let page = self.read(from, |batches, from| Stretch::cut(batches, from, limit));
        Ok(page.await?.events)
    }

    /// The next batches at or after `from`, each of them whole: at most `limit` events unless the first batch has more. Empty if
    /// there is none yet.
    pub(crate) async fn read_batches(&self, from: u64, limit: usize) -> Result<Page, DatabaseError> {
        self.read(from, |batches, from| Stretch::whole(batches, from, limit))
            .await
    }

    async fn read(
        &self,
        from: u64,
        stretch: impl Fn(Vec<Batch>, i64) -> Option<Stretch>,
    ) -> Result<Page, DatabaseError> {
        let mut next = from.cast_signed();
        loop {
            let batches = batches_from(&self.database, next).await?;
            let Some(stretch) = stretch(batches, next) else {
                return Ok(Page {
                    events: Vec::new(),
                    next: next.cast_unsigned(),
                });
            };
            let events;
            (events, next) = self.events_of(&stretch).await?;
            // Otherwise all of these were removed.
            if !events.is_empty() {
                return Ok(Page {
                    events,
                    next: next.cast_unsigned(),
                });
            }
        }
    }

    /// What is left of the first batches of a stretch, in order, and where they end: as many as are at hand, or else as many
    /// as must be read.
    async fn events_of(&self, stretch: &Stretch) -> Result<(Vec<Positioned>, i64), DatabaseError> {
        if let Some(known) = self.known_of(stretch) {
            return Ok(known);
        }
        let reading = self.recent.reading.lock().await;
        if let Some(known) = self.known_of(stretch) {
            return Ok(known);
        }
        let (now, mut unknown) = (Instant::now(), stretch.clone());
        unknown.keep_while(|batch| self.recent.find(batch.id, now).is_none());
        let read = self.members_of(&unknown).await?;
        let mut events = Vec::new();
        for (batch, members) in unknown.batches.iter().zip(read) {
            events.extend(unknown.events(batch, &members));
            if unknown.covers(batch) {
                self.recent.keep(batch.id, members, Origin::Read, now);
            }
        }
        drop(reading);
        Ok((events, unknown.end))
    }

    /// The first batches of a stretch that are at hand, if the very first is.
    fn known_of(&self, stretch: &Stretch) -> Option<(Vec<Positioned>, i64)> {
        let (now, mut known, mut events) = (Instant::now(), stretch.clone(), Vec::new());
        known.keep_while(|batch| {
            let found = self.recent.find(batch.id, now);
            if let Some(members) = &found {
                events.extend(stretch.events(batch, members));
            }
            found.is_some()
        });
        (!known.batches.is_empty()).then_some((events, known.end))
    }
}

/// A batch that has its place.
#[derive(Clone, Copy, Debug, FromRow)]
struct Batch {
    id: Uuid,
    first_position: i64,
    events: i32,
    recorded_at: i64,
}

impl Batch {
    /// The first position behind it.
    fn end(&self) -> i64 {
        self.first_position + i64::from(self.events)
    }
}

/// Positions that follow each other, and the batches that hold them.
#[derive(Clone, Debug)]
struct Stretch {
    batches: Vec<Batch>,
    /// The first position.
    from: i64,
    /// The first position behind.
    end: i64,
}

impl Stretch {
    /// So many of the batches as hold `limit` events, and at least one.
    fn whole(mut batches: Vec<Batch>, from: i64, limit: usize) -> Option<Self> {
        let first = *batches.first()?;
        let from = from.max(first.first_position);
        let last = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let fit = batches.iter().take_while(|batch| batch.end() <= last).count();
        batches.truncate(fit.max(1));
        Some(Self {
            from,
            end: batches.last()?.end(),
            batches,
        })
    }

    /// The same, and only a part of the first batch if it holds more.
    fn cut(batches: Vec<Batch>, from: i64, limit: usize) -> Option<Self> {
        let whole = Self::whole(batches, from, limit)?;
        let last = whole
            .from
            .saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        Some(Self {
            end: whole.end.min(last),
            ..whole
        })
    }

    /// Shortens it to its first batches.
    fn keep_while(&mut self, mut keeps: impl FnMut(&Batch) -> bool) {
        let kept = self.batches.iter().take_while(|batch| keeps(batch)).count();
        self.batches.truncate(kept);
        self.end = self.batches.last().map_or(self.from, Batch::end).min(self.end);
    }

    /// Whether all of a batch is in it.
    fn covers(&self, batch: &Batch) -> bool {
        self.from <= batch.first_position && batch.end() <= self.end
    }

    /// What of a batch is in it.
    fn events(&self, batch: &Batch, members: &[Member]) -> impl Iterator<Item = Positioned> {
        members.iter().filter_map(|member| {
            let position = batch.first_position + i64::from(member.ordinal);
            (self.from..self.end).contains(&position).then(|| Positioned {
                // Positions count from 0 on.
                position: position.cast_unsigned(),
                recorded_at: UtcMicros::from_micros(batch.recorded_at),
                time_suspect: member.time_suspect,
                locality: member.locality,
                event: member.event.clone(),
                body: member.body.clone(),
                original: member.original.clone(),
            })
        })
    }
}

/// The next batches that end behind `from`.
async fn batches_from(database: &Database, from: i64) -> Result<Vec<Batch>, DatabaseError> {
    let select = "SELECT id, first_position, events, recorded_at FROM batch \
        WHERE first_position >= COALESCE((SELECT MAX(first_position) FROM batch WHERE first_position <= $1), $1) \
        ORDER BY first_position LIMIT $2";
    let mut batches: Vec<Batch> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(from).bind(BATCHES_MAX)
    )?;
    batches.retain(|batch| batch.end() > from);
    Ok(batches)
}

/// What is stored of an event, and what is sealed beside it if it has pseudonyms.
#[derive(Debug, FromRow)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    pub(crate) body: Vec<u8>,
    pub(crate) sealed: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct MemberRow {
    first_position: i64,
    ordinal: i32,
    time_suspect: bool,
    country: Option<String>,
    asn: Option<i64>,
    #[sqlx(flatten)]
    stored: Stored,
}

impl EventLog {
    /// What is left of each batch of a stretch, as far as it is in it.
    async fn members_of(&self, stretch: &Stretch) -> Result<Vec<Vec<Member>>, DatabaseError> {
        let select = "SELECT b.first_position, e.id, e.ordinal, e.time_suspect, e.country, e.asn, e.body, e.sealed \
            FROM batch b JOIN event e ON e.batch_id = b.id \
            WHERE b.first_position >= $1 AND b.first_position < $3 \
            AND b.first_position + e.ordinal >= $2 AND b.first_position + e.ordinal < $3 \
            ORDER BY b.first_position, e.ordinal";
        let batches_from = stretch
            .batches
            .first()
            .map_or(stretch.from, |first| first.first_position);
        let rows: Vec<MemberRow> = read!(
            fetch_all,
            self.database,
            sqlx::query_as(select)
                .bind(batches_from)
                .bind(stretch.from)
                .bind(stretch.end)
        )?;
        let mut rows = rows.into_iter().peekable();
        let members = stretch.batches.iter().map(|batch| {
            std::iter::from_fn(|| rows.next_if(|row| row.first_position == batch.first_position))
                .map(|row| self.member(row))
                .collect()
        });
        Ok(members.collect())
    }

    fn member(&self, row: MemberRow) -> Member {
        Member {
            ordinal: row.ordinal,
            time_suspect: row.time_suspect,
            locality: Locality::stored(row.country.as_deref(), row.asn),
            event: wire::decode(&row.stored.body).ok().map(Arc::new),
            original: self.unsealed(&row.stored),
            body: row.stored.body.into(),
        }
    }
}
