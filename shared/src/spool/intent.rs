//! What will be told of a request whose outcome never came.
//!
//! An intent is written and synced before something is done that cannot be undone, and goes in the transaction that writes its outcome,
//! the event of the same id. So at every moment there is one or the other.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::record::Record;
use super::{SpoolError, Unnumbered};
use crate::clock::UtcMicros;
use crate::event::wire::EncodeError;
use crate::event::{Draft, Facts, Source};

/// An event that is written unless another of its id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) id: Uuid,
    pub(super) time: UtcMicros,
    /// The facts, as JSON.
    pub(super) facts: String,
}

impl Intent {
    pub(super) fn of(draft: &Draft) -> Result<Self, SpoolError> {
        Ok(Self {
            id: draft.id,
            time: draft.time,
            facts: serde_json::to_string(&draft.facts).map_err(EncodeError::from)?,
        })
    }

    /// CRC-32 over all of it.
    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.id.as_bytes());
        hasher.update(&self.time.as_micros().to_le_bytes());
        hasher.update(self.facts.as_bytes());
        hasher.finalize()
    }

    /// The event that it becomes, without its number.
    pub(super) fn unknown_outcome(&self) -> Result<Unnumbered, EncodeError> {
        let facts: Facts = serde_json::from_str(&self.facts)?;
        Unnumbered::of(&Draft {
            id: self.id,
            time: self.time,
            facts,
        })
    }
}

/// Numbers what intents become, in the order of their ids, after the last event that `source` has written.
pub(super) fn number(intents: &[Intent], source: &Source, last: &Record) -> Result<Vec<Record>, EncodeError> {
    let source = source.to_string();
    let (mut seq, mut running_hash) = (last.seq, last.running_hash);
    intents
        .iter()
        .map(|intent| {
            let event = intent.unknown_outcome()?;
            let body = event.facts.numbered(event.id, event.time, &source, seq + 1)?;
            seq += 1;
            running_hash = running_hash.after(&body);
            Ok(Record {
                seq,
                routing_key: event.routing_key,
                body,
                running_hash,
            })
        })
        .collect()
}

/// The intents of a living boot, as its writer knows them.
#[derive(Debug, Default)]
pub(super) struct OpenIntents {
    open: BTreeSet<Uuid>,
    /// Those whose outcome could not be written. They are told as they are once the disk takes it.
    orphaned: BTreeSet<Uuid>,
    /// Those that were refused after they were written. They go untold.
    withdrawn: BTreeSet<Uuid>,
}

impl OpenIntents {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_open(&self, id: Uuid) -> bool {
        self.open.contains(&id)
    }

    pub(super) fn begin(&mut self, id: Uuid) {
        self.open.insert(id);
    }

    /// Its outcome is written, or it never was.
    pub(super) fn end(&mut self, id: Uuid) {
        self.open.remove(&id);
        self.orphaned.remove(&id);
        self.withdrawn.remove(&id);
    }

    /// Its outcome could not be written.
    pub(super) fn orphan(&mut self, id: Uuid) {
        if self.is_open(id) {
            self.orphaned.insert(id);
        }
    }

    /// No outcome will come any more.
    pub(super) fn orphan_all(&mut self) {
        self.orphaned.clone_from(&self.open);
    }

    /// It was refused, so that nothing may be told of it.
    pub(super) fn withdraw(&mut self, id: Uuid) {
        self.end(id);
        self.withdrawn.insert(id);
    }

    pub(super) fn orphaned(&self) -> Vec<Uuid> {
        self.orphaned.iter().copied().collect()
    }

    pub(super) fn withdrawn(&self) -> Vec<Uuid> {
        self.withdrawn.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::running_hash::RunningHash;
    use super::*;
    use crate::event::{Class, Outcome, action, wire};

    fn intent(seconds: i64) -> Intent {
        let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error).because("outcome_unknown");
        Intent::of(&Draft::new(UtcMicros::from_seconds(seconds), facts)).unwrap()
    }

    #[test]
    fn what_intents_become_goes_on_where_the_source_ended() {
        let source = Source {
            service: "api-service".to_owned(),
            instance: "test".to_owned(),
            boot: Uuid::from_u128(7),
        };
        let last = Record {
            seq: 41,
            running_hash: RunningHash::default().after(b"{}"),
            ..Record::zero()
        };
        let intents = [intent(1), intent(2)];

        let records = number(&intents, &source, &last).unwrap();

        let events: Vec<_> = records
            .iter()
            .map(|record| wire::decode(&record.body).unwrap())
            .collect();
        assert_eq!([events[0].id, events[1].id], [intents[0].id, intents[1].id]);
        assert_eq!([events[0].seq, events[1].seq], [42, 43]);
        assert!(events.iter().all(|event| event.source == source));
        assert_eq!(records[0].routing_key, "access.api_request.error");
        let hash = last.running_hash.after(&records[0].body).after(&records[1].body);
        assert_eq!(records[1].running_hash, hash);
    }

    #[test]
    fn an_outcome_that_fails_leaves_its_intent_to_be_told_and_none_that_never_was() {
        let mut intents = OpenIntents::default();
        intents.begin(Uuid::from_u128(1));

        intents.orphan(Uuid::from_u128(1));
        intents.orphan(Uuid::from_u128(2));

        assert_eq!(intents.orphaned(), [Uuid::from_u128(1)]);
    }
}
