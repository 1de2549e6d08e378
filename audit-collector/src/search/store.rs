//! Finds events.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, read};
use shared::event::{Event, wire};
use sqlx::FromRow;
use uuid::Uuid;

use super::body::Content;
use super::{Cursor, Dialect, EventBody, EventPage, Filter, Period, Search, Statement, bound};
use crate::enrichment::Locality;
use crate::event_log::EventLog;
use crate::rollup::latest_days;

/// An event as it is stored, with what the log knows of it.
#[derive(FromRow)]
pub(crate) struct Found {
    pub(crate) id: Uuid,
    time: i64,
    time_suspect: bool,
    country: Option<String>,
    asn: Option<i64>,
    is_disguised: bool,
    body: Vec<u8>,
    recorded_at: i64,
    position: Option<i64>,
}

impl Found {
    /// When it happened.
    pub(crate) const fn time(&self) -> UtcMicros {
        UtcMicros::from_micros(self.time)
    }

    /// What it says; `None` if its bytes are no event any more.
    pub(crate) fn event(&self) -> Option<Event> {
        wire::decode(&self.body).ok()
    }
}

impl From<Found> for EventBody {
    fn from(row: Found) -> Self {
        Self {
            id: row.id,
            time: UtcMicros::from_micros(row.time),
            recorded_at: UtcMicros::from_micros(row.recorded_at),
            position: row.position,
            time_suspect: row.time_suspect,
            locality: Locality::stored(row.country.as_deref(), row.asn),
            as_organisation: None,
            has_pseudonyms: row.is_disguised,
            content: Content::of(&row.body),
        }
    }
}

impl EventLog {
    /// One page of what is searched for, newest first.
    pub async fn search(&self, search: &Search) -> Result<EventPage, DatabaseError> {
        let dialect = Dialect::of(self.database());
        let limit = usize::from(search.limit);
        let mut rows = Vec::new();
        if let Some(near) = self.near(search).await? {
            rows = found(self.database(), &Statement::page(&near, dialect)).await?;
        }
        // Of what is counted, retention may have removed some.
        if rows.len() <= limit {
            rows = found(self.database(), &Statement::page(search, dialect)).await?;
        }
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more).map(|row| Cursor {
            time: UtcMicros::from_micros(row.time),
            id: row.id,
        });
        Ok(EventPage {
            next_cursor: last.map(|cursor| cursor.seal(&search.filter)),
            events: rows.into_iter().map(|row| self.shown(row)).collect(),
        })
    }

    /// The same search in the days that are counted to hold a page, if counts can tell: a range of events without any that meet the filter is read to
    /// its end otherwise.
    async fn near(&self, search: &Search) -> Result<Option<Search>, DatabaseError> {
        let before = search.after.map(|after| after.time);
        let end = before.into_iter().chain(search.filter.period().to).min();
        let many = i64::from(search.limit) + 1;
        let Some(statement) = latest_days(&search.filter, many, end, Dialect::of(self.database())) else {
            return Ok(None);
        };
        let days: Vec<(i64,)> = read!(fetch_all, self.database(), bound!((i64,), statement))?;
        let within = |(start,): &(i64,)| {
            let from = Some(UtcMicros::from_micros(*start));
            let within = Filter::within(&Period { from, to: None });
            Search {
                filter: search.filter.and(&within),
                ..search.clone()
            }
        };
        Ok(days.first().map(within))
    }

    /// The event with that id.
    pub async fn event(&self, id: Uuid) -> Result<Option<EventBody>, DatabaseError> {
        let rows = found(
            self.database(),
            &Statement::event(id, Dialect::of(self.database())),
        )
        .await?;
        Ok(rows.into_iter().next().map(|row| self.shown(row)))
    }

    /// An event with the name of the network that it came from, if that is known now.
    pub(crate) fn shown(&self, row: Found) -> EventBody {
        let mut body = EventBody::from(row);
        let names = self.places().zip(body.locality.asn);
        body.as_organisation = names.and_then(|(places, asn)| places.organisation(asn).map(str::to_owned));
        body
    }
}

/// The events that a statement finds.
pub(crate) async fn found(database: &Database, statement: &Statement) -> Result<Vec<Found>, DatabaseError> {
    read!(fetch_all, database, bound!(Found, statement))
}
