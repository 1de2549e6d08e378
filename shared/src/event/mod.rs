//! The event: one record of one thing that happened, the same for every service (DESIGN §4).
//!
//! A producer makes a [`Draft`]; the spool or outbox numbers it, which makes it an [`Event`]; [`wire`] writes it as
//! CloudEvents JSON. Field names and meanings of version 1 never change; `shared/CHANGELOG.md` has the version rule.

pub mod action;
pub mod batch;
mod facts;
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

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/{}/{}", self.service, self.instance, self.boot)
    }
}

/// The UUIDv7 of the moment `time` whose other bits are those of `rest`: the same for the same, so that what is told twice is
/// one event. Moments before 1970 count as 1970.
pub fn stable_event_id(time: UtcMicros, rest: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(time.as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, rest).into_uuid()
}

/// A fresh UUIDv7 of the moment `time`, to the millisecond, the rest random (RFC 9562 §5.7).
pub fn event_id(time: UtcMicros) -> Uuid {
    let micros = u64::try_from(time.as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    let timestamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
    Uuid::new_v7(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stable_id_is_of_version_7_and_of_its_moment() {
        let time = UtcMicros::from_micros(1_700_000_000_123_456);

        let id = stable_event_id(time, &[7; 10]);

        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id, stable_event_id(time, &[7; 10]));
        assert_ne!(id, stable_event_id(time, &[8; 10]));
        assert_eq!(
            id.get_timestamp().unwrap().to_unix(),
            (1_700_000_000, 123_000_000)
        );
        assert_eq!(
            stable_event_id(UtcMicros::from_seconds(-1), &[7; 10])
                .get_timestamp()
                .unwrap()
                .to_unix(),
            (0, 0)
        );
    }
}
