//! The event: one record of one thing that happened, the same for every service (DESIGN §4).
//!
//! A producer makes a [`Draft`]; the spool or outbox numbers it, which makes it an [`Event`]; [`wire`] writes it as
//! CloudEvents JSON. Field names and meanings of version 1 never change; `shared/CHANGELOG.md` has the version rule.

pub mod action;
pub mod batch;
mod facts;
mod id;
mod text;
pub mod wire;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::UtcMicros;
pub use facts::{
    Actor, Class, ClientFacts, Detail, Door, Facts, HttpFacts, Identity, Outcome, PolicyFacts, Reporter,
    TokenFacts, TraceFacts,
};
pub use id::{IMPORT_SERVICE, event_id, imported_event_id, stable_event_id};
pub use text::bounded;

/// An event before it has its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// UUIDv7 of the same moment as `time`; the key of deduplication.
    pub id: Uuid,
    /// When it happened, by the producer's clock.
    pub time: UtcMicros,
    /// What happened.
    pub facts: Facts,
}

impl Draft {
    /// A draft of `facts` that happened at `time`, with a fresh id.
    pub fn new(time: UtcMicros, facts: Facts) -> Self {
        Self {
            id: event_id(time),
            time,
            facts,
        }
    }

    /// A draft of `facts` that will be dated when all of them are known.
    pub const fn undated(facts: Facts) -> Self {
        Self {
            id: Uuid::nil(),
            time: UtcMicros::from_micros(0),
            facts,
        }
    }

    /// Says that it happened at `time`, and gives it a fresh id.
    pub fn date(&mut self, time: UtcMicros) {
        self.time = time;
        self.id = event_id(time);
    }

    /// The event that this draft becomes as number `seq` of `source`.
    pub fn numbered(self, source: Source, seq: u64) -> Event {
        Event {
            id: self.id,
            time: self.time,
            source,
            seq,
            facts: self.facts,
        }
    }
}

/// An event as it is spooled, published and stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// UUIDv7, made by the producer; the key of deduplication.
    pub id: Uuid,
    /// When it happened, by the producer's clock.
    pub time: UtcMicros,
    /// Who reports it.
    pub source: Source,
    /// Its number at the source: 1, 2, 3… without a gap.
    pub seq: u64,
    /// What happened.
    pub facts: Facts,
}

impl Event {
    /// `class.action.outcome`, the key on the topic exchange.
    pub fn routing_key(&self) -> String {
        self.facts.routing_key()
    }
}

/// One boot of one instance of a service, which numbers its events by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The service's name, which is also its user name on the broker.
    pub service: String,
    /// The instance, such as a host name: letters, digits, `.`, `_` and `-`.
    pub instance: String,
    /// The boot: a fresh id for every start.
    pub boot: Uuid,
}

impl Source {
    /// Whether the event was read from the log of another program, whose writer numbered nothing.
    pub fn is_import(&self) -> bool {
        self.service == IMPORT_SERVICE
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/{}/{}", self.service, self.instance, self.boot)
    }
}
