//! Events as readers get them. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;
use shared::event::{Event, Facts, Source, wire};
use uuid::Uuid;

use crate::enrichment::Locality;
use crate::event_log::Positioned;
use crate::pseudonym::Unsealed;

/// One page of events.
#[derive(Clone, Debug, Serialize)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<EventBody>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// An event with what the collector knows of it.
#[derive(Clone, Debug, Serialize)]
pub struct EventBody {
    /// Its id.
    pub id: Uuid,
    /// When it happened, by the producer's clock.
    pub time: UtcMicros,
    /// When it was stored, by the collector's clock.
    pub recorded_at: UtcMicros,
    /// How many events stand before it in the log; absent until it has been put in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Whether the producer's clock was far from the collector's; absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub time_suspect: bool,
    /// Where its client was.
    #[serde(flatten)]
    pub locality: Locality,
    /// Who runs the autonomous system of `asn`, as far as is known now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_organisation: Option<String>,
    /// Whether names or addresses in it are pseudonyms; absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_pseudonyms: bool,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
}

impl EventBody {
    /// An event of the log with its place; its id is nil if its bytes are no event any more.
    pub(crate) fn of(one: &Positioned) -> Self {
        let (id, time) = one
            .event
            .as_ref()
            .map_or((Uuid::nil(), one.recorded_at), |event| (event.id, event.time));
        Self {
            id,
            time,
            recorded_at: one.recorded_at,
            position: i64::try_from(one.position).ok(),
            time_suspect: one.time_suspect,
            locality: one.locality,
            as_organisation: None,
            has_pseudonyms: one.original != Unsealed::AsItIs,
            content: one
                .event
                .as_deref()
                .map_or(Content::UNREADABLE, Content::of_event),
        }
    }
}

/// What an event says.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// An event as its source made it.
    Event(Box<Numbered>),
    /// Bytes that were an event when they were stored and are none any more: somebody changed the database.
    Unreadable {
        /// Always true.
        unreadable: bool,
    },
}

/// Facts with their source and number.
#[derive(Clone, Debug, Serialize)]
pub struct Numbered {
    /// Who reports it.
    pub source: Source,
    /// Its number at the source.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub facts: Facts,
}

impl Content {
    const UNREADABLE: Self = Self::Unreadable { unreadable: true };

    /// Reads a stored body. One that cannot be read does not hide the events around it.
    pub(super) fn of(body: &[u8]) -> Self {
        match wire::decode(body) {
            Ok(event) => Self::Event(Box::new(Numbered {
                source: event.source,
                seq: event.seq,
                facts: event.facts,
            })),
            Err(_) => Self::UNREADABLE,
        }
    }

    fn of_event(event: &Event) -> Self {
        Self::Event(Box::new(Numbered {
            source: event.source.clone(),
            seq: event.seq,
            facts: event.facts.clone(),
        }))
    }
}
