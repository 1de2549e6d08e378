//! The past by its own time, page by page.

use std::collections::VecDeque;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, read};
use shared::event::{stable_event_id, wire};
use sqlx::FromRow;
use uuid::Uuid;

use crate::detection::engine::Record;
use crate::detection::place::place;
use crate::enrichment::Locality;
use crate::event_log::{EventLog, Stored};

/// Events of a page of the past at most.
const PAGE: i64 = 2_000;

#[derive(FromRow)]
struct PastRow {
    time: i64,
    recorded_at: i64,
    time_suspect: bool,
    country: Option<String>,
    asn: Option<i64>,
    #[sqlx(flatten)]
    stored: Stored,
}

impl PastRow {
    /// The moment that counts.
    const fn at(&self) -> i64 {
        if self.time_suspect {
            self.recorded_at
        } else {
            self.time
        }
    }

    fn record(&self, log: &EventLog) -> Option<Record> {
        let event = wire::decode(&self.stored.body).ok()?;
        let locality = Locality::stored(self.country.as_deref(), self.asn);
        let original = log.unsealed(&self.stored);
        Some(Record {
            place: place(log, &event, locality, &original),
            event: event.into(),
            recorded_at: UtcMicros::from_micros(self.recorded_at),
            time_suspect: self.time_suspect,
        })
    }
}

/// The events of a stretch of time, by when they happened; those with a suspect clock by when they were stored. A page of each
/// is in memory.
#[derive(Debug)]
pub(super) struct Past {
    log: EventLog,
    until: UtcMicros,
    steady: Pages,
    suspect: Pages,
}

/// What has been read of one kind of events, in order.
#[derive(Debug)]
struct Pages {
    kind: Kind,
    /// The last event that was read.
    after: (i64, Uuid),
    records: VecDeque<Record>,
    is_over: bool,
}

/// Which events.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Steady,
    Suspect,
}

/// By their own time.
const STEADY: &str = "SELECT e.id, e.time, b.recorded_at, e.time_suspect, e.country, e.asn, e.body, e.sealed FROM event e \
    JOIN batch b ON b.id = e.batch_id \
    WHERE (e.time, e.id) > ($1, $2) AND e.time < $3 AND NOT e.time_suspect AND b.first_position IS NOT NULL \
    ORDER BY e.time, e.id LIMIT $4";

/// By when they were stored, with which the ids of batches begin.
const SUSPECT: &str = "SELECT e.id, e.time, b.recorded_at, e.time_suspect, e.country, e.asn, e.body, e.sealed FROM event e \
    JOIN batch b ON b.id = e.batch_id \
    WHERE e.time_suspect AND e.batch_id >= $4 AND e.batch_id < $5 \
    AND (b.recorded_at, e.id) > ($1, $2) AND b.recorded_at < $3 AND b.first_position IS NOT NULL \
    ORDER BY b.recorded_at, e.id LIMIT $6";

impl Past {
    /// The stretch from `from` to before `until`.
    pub(super) fn new(log: EventLog, from: UtcMicros, until: UtcMicros) -> Self {
        let pages = |kind| Pages {
            kind,
            after: (from.as_micros(), Uuid::nil()),
            records: VecDeque::new(),
            is_over: false,
        };
        Self {
            log,
            until,
            steady: pages(Kind::Steady),
            suspect: pages(Kind::Suspect),
        }
    }

    /// The next page, none of whose events happened before those of the pages before; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Record>>, DatabaseError> {
        let Self {
            log,
            until,
            steady,
            suspect,
        } = self;
        for pages in [&mut *steady, &mut *suspect] {
            pages.fill(log, *until).await?;
        }
        // What comes after the end of a page may come before what is here of the other.
        let end = [&*steady, &*suspect].into_iter().filter_map(Pages::end).min();
        let mut page = steady.take(end);
        page.extend(suspect.take(end));
        Ok((!page.is_empty()).then_some(page))
    }
}

impl Pages {
    /// Reads the next page if nothing is left of the one before.
    async fn fill(&mut self, log: &EventLog, until: UtcMicros) -> Result<(), DatabaseError> {
        // A page without a single event that can still be read is not the end.
        while self.records.is_empty() && !self.is_over {
            let rows = self.read(log, until).await?;
            self.is_over = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            if let Some(last) = rows.last() {
                self.after = (last.at(), last.stored.id);
            }
            self.records = rows.iter().filter_map(|row| row.record(log)).collect();
        }
        Ok(())
    }

    async fn read(&self, log: &EventLog, until: UtcMicros) -> Result<Vec<PastRow>, DatabaseError> {
        let (database, (at, id)) = (log.database(), self.after);
        let end = until.as_micros();
        match self.kind {
            Kind::Steady => {
                read!(
                    fetch_all,
                    database,
                    sqlx::query_as(STEADY).bind(at).bind(id).bind(end).bind(PAGE)
                )
            }
            Kind::Suspect => {
                // The last batch is one of the last millisecond.
                let [first, after] = [at, end.saturating_add(1_000)]
                    .map(|micros| stable_event_id(UtcMicros::from_micros(micros), &[0; 10]));
                read!(
                    fetch_all,
                    database,
                    sqlx::query_as(SUSPECT)
                        .bind(at)
                        .bind(id)
                        .bind(end)
                        .bind(first)
                        .bind(after)
                        .bind(PAGE)
                )
            }
        }
    }

    /// The last event that is here, unless none comes after it.
    fn end(&self) -> Option<(UtcMicros, Uuid)> {
        self.records.back().filter(|_| !self.is_over).map(key)
    }

    /// What is here up to `end`, or all of it.
    fn take(&mut self, end: Option<(UtcMicros, Uuid)>) -> Vec<Record> {
        let is_later = |record: &Record| end.is_some_and(|end| key(record) > end);
        let count = self.records.partition_point(|record| !is_later(record));
        self.records.drain(..count).collect()
    }
}

/// Where an event stands in the past.
fn key(record: &Record) -> (UtcMicros, Uuid) {
    (record.at(), record.event.id)
}
