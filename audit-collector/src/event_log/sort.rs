//! What of a batch is new, what is known, and what clashes. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use shared::event::{Event, wire};
use shared::spool::event_digest;
use uuid::Uuid;

use super::Arrival;
use crate::pseudonym::{Pseudonyms, Unsealed};
use crate::settings::SERVICE;

/// A batch, sorted out.
#[derive(Debug, Default)]
pub(super) struct Sorted<'a> {
    /// To be stored, in order of arrival.
    pub(super) fresh: Vec<&'a Arrival>,
    /// Stored before, or standing twice in the batch, byte for byte.
    pub(super) duplicates: usize,
    /// Stored before under another number: a service has reported it twice, or two collectors have told it.
    pub(super) repeats: Vec<&'a Arrival>,
    /// With the id of another event.
    pub(super) conflicts: Vec<&'a Arrival>,
}

/// What is stored of an event.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) body: Vec<u8>,
    /// What it said, if it has pseudonyms.
    pub(super) sealed: Option<Vec<u8>>,
}

/// What is known of an id.
#[derive(Clone, Copy)]
struct Known<'k> {
    body: &'k [u8],
    sealed: Option<&'k [u8]>,
}

/// Sorts a batch out against what is stored under its ids, where `pseudonyms` hid what was to be hidden.
pub(super) fn sort<'a>(
    arrivals: &'a [Arrival],
    stored: &HashMap<Uuid, Stored>,
    pseudonyms: Option<&Pseudonyms>,
) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut seen: HashMap<Uuid, Known<'_>> = HashMap::with_capacity(arrivals.len());
    for arrival in arrivals {
        let id = arrival.event.id;
        let known = match (stored.get(&id), seen.entry(id)) {
            (Some(stored), _) => Known {
                body: &stored.body,
                sealed: stored.sealed.as_deref(),
            },
            (None, Entry::Occupied(first)) => *first.get(),
            (None, Entry::Vacant(vacant)) => {
                vacant.insert(Known {
                    body: &arrival.body,
                    sealed: None,
                });
                sorted.fresh.push(arrival);
                continue;
            }
        };
        if known.is(arrival, pseudonyms) {
            sorted.duplicates += 1;
        } else if known.is_repeated_by(arrival, pseudonyms) {
            sorted.repeats.push(arrival);
        } else {
            sorted.conflicts.push(arrival);
        }
    }
    sorted
}

impl Known<'_> {
    /// Whether `arrival` is what is known, byte for byte as it came.
    fn is(&self, arrival: &Arrival, pseudonyms: Option<&Pseudonyms>) -> bool {
        let Some(sealed) = self.sealed else {
            return self.body == arrival.body;
        };
        let original = pseudonyms.map(|pseudonyms| pseudonyms.open(arrival.event.id, self.body, sealed));
        matches!(original, Some(Unsealed::Known(original)) if original.digest == event_digest(&arrival.body))
    }

    /// Whether `arrival` says what is known and differs only in where it was taken in: on the word of the same reporter, or
    /// by collectors, one of which went on where the other had told and could not note it any more.
    fn is_repeated_by(&self, arrival: &Arrival, pseudonyms: Option<&Pseudonyms>) -> bool {
        let event = &arrival.event;
        let is_own = event.source.service == SERVICE;
        if !is_own && event.facts.reporter.is_none() {
            return false;
        }
        let facts = match self.sealed {
            None => Some(Cow::Borrowed(&event.facts)),
            Some(sealed) => pseudonyms
                .and_then(|pseudonyms| pseudonyms.facts_like(sealed, event))
                .map(Cow::Owned),
        };
        let same = |known: Event| {
            known.time == event.time
                && facts.as_deref() == Some(&known.facts)
                && (known.source.service == SERVICE) == is_own
        };
        wire::decode(self.body).is_ok_and(same)
    }
}

/// SHA-256 over the leaf hashes of a batch, each SHA-256 over a zero byte and the body (RFC 6962 §2.1).
pub(super) fn batch_digest<'a>(bodies: impl Iterator<Item = &'a [u8]>) -> [u8; SHA256_OUTPUT_LEN] {
    let mut batch = Context::new(&SHA256);
    for body in bodies {
        let mut leaf = Context::new(&SHA256);
        leaf.update(&[0]);
        leaf.update(body);
        batch.update(leaf.finish().as_ref());
    }
    let mut digest = [0; SHA256_OUTPUT_LEN];
    digest.copy_from_slice(batch.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use shared::clock::UtcMicros;
    use shared::event::{Class, Draft, Facts, Outcome, Reporter, Source};

    use super::*;
    use crate::pseudonym::Hidden;

    fn arrival(body: &'static str) -> Arrival {
        let facts = Facts::new(Class::Access, "api_request", Outcome::Granted);
        let source = Source {
            service: "api-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        Arrival {
            event: Draft::new(UtcMicros::from_seconds(1), facts)
                .numbered(source, 1)
                .into(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn same_id(first: &Arrival, body: &'static str) -> Arrival {
        Arrival {
            body: Bytes::from_static(body.as_bytes()),
            ..first.clone()
        }
    }

    #[test]
    fn the_first_of_an_id_counts_within_a_batch() {
        let first = arrival("a");
        let batch = [first.clone(), same_id(&first, "a"), same_id(&first, "b")];

        let sorted = sort(&batch, &HashMap::new(), None);

        assert_eq!(sorted.fresh.len(), 1);
        assert_eq!(sorted.duplicates, 1);
        assert_eq!(sorted.conflicts[0].body, "b");
    }

    #[test]
    fn what_is_stored_counts_before_the_batch() {
        let (known, other) = (arrival("a"), arrival("b"));
        let stored = [(&known, "a"), (&other, "x")].map(|(arrival, body)| {
            let body = body.as_bytes().to_vec();
            (arrival.event.id, Stored { body, sealed: None })
        });
        let stored = HashMap::from(stored);

        let batch = [known, other];
        let sorted = sort(&batch, &stored, None);

        assert!(sorted.fresh.is_empty());
        assert_eq!((sorted.duplicates, sorted.conflicts.len()), (1, 1));
    }

    fn reported(seq: u64, reason: &str) -> Arrival {
        let mut arrival = arrival("");
        let event = Arc::make_mut(&mut arrival.event);
        event.id = shared::event::stable_event_id(event.time, &[1; 10]);
        event.seq = seq;
        event.facts.reporter = Some(Reporter::default());
        event.facts.reason = Some(reason.to_owned());
        arrival.body = wire::encode(&arrival.event).unwrap().into();
        arrival
    }

    #[test]
    fn what_a_service_reports_twice_is_a_repeat_and_what_it_takes_back_is_a_conflict() {
        let batch = [reported(1, "a"), reported(2, "a"), reported(3, "b")];

        let sorted = sort(&batch, &HashMap::new(), None);

        assert_eq!((sorted.fresh.len(), sorted.duplicates), (1, 0));
        assert_eq!(
            (sorted.repeats[0].event.seq, sorted.conflicts[0].event.seq),
            (2, 3)
        );
    }

    #[test]
    fn a_source_s_own_events_never_repeat_under_another_number() {
        let own = |seq| {
            let mut arrival = reported(seq, "a");
            Arc::make_mut(&mut arrival.event).facts.reporter = None;
            arrival.body = wire::encode(&arrival.event).unwrap().into();
            arrival
        };
        let batch = [own(1), own(2)];

        let sorted = sort(&batch, &HashMap::new(), None);

        assert_eq!((sorted.repeats.len(), sorted.conflicts.len()), (0, 1));
    }

    #[test]
    fn what_two_collectors_tell_is_a_repeat_and_nobody_else_tells_it() {
        let told = |service: &str, boot| {
            let mut arrival = reported(1, "a");
            let event = Arc::make_mut(&mut arrival.event);
            event.facts.reporter = None;
            event.source.service = service.into();
            event.source.boot = Uuid::from_u128(boot);
            arrival.body = wire::encode(&arrival.event).unwrap().into();
            arrival
        };
        let batch = [told(SERVICE, 1), told(SERVICE, 2), told("api-service", 3)];

        let sorted = sort(&batch, &HashMap::new(), None);

        assert_eq!((sorted.fresh.len(), sorted.repeats.len()), (1, 1));
        assert_eq!(sorted.conflicts[0].event.source.service, "api-service");
    }

    #[test]
    fn what_has_pseudonyms_is_known_by_what_it_said() {
        let pseudonyms = |digit: &str| {
            let key = digit.repeat(64).parse().unwrap();
            Pseudonyms::new([Hidden::Names], &[key]).unwrap()
        };
        let named = |seq, name: &str| {
            let mut arrival = reported(seq, "a");
            let event = Arc::make_mut(&mut arrival.event);
            event.facts.actor.username = Some(name.to_owned());
            arrival.body = wire::encode(event).unwrap().into();
            arrival
        };
        let first = named(1, "alice");
        let disguised = pseudonyms("a")
            .disguise(&first.event, &first.body)
            .unwrap()
            .unwrap();
        let stored = Stored {
            body: disguised.body.to_vec(),
            sealed: Some(disguised.sealed.to_vec()),
        };
        let (id, stored) = (first.event.id, HashMap::from([(first.event.id, stored)]));
        let batch = [first, named(2, "alice"), named(3, "bob")];

        let sorted = sort(&batch, &stored, Some(&pseudonyms("a")));
        let without_key = sort(&batch, &stored, Some(&pseudonyms("b")));

        assert_eq!((sorted.fresh.len(), sorted.duplicates), (0, 1));
        assert_eq!(
            (sorted.repeats[0].event.seq, sorted.conflicts[0].event.seq),
            (2, 3)
        );
        assert!(without_key.conflicts.iter().all(|arrival| arrival.event.id == id));
        assert_eq!(without_key.conflicts.len(), 3);
    }

    #[test]
    fn the_digest_covers_every_body_and_their_order() {
        let digest = |bodies: &[&str]| batch_digest(bodies.iter().map(|body| body.as_bytes()));

        assert_ne!(digest(&["a", "b"]), digest(&["b", "a"]));
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
    }
}
