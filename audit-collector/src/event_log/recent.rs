//! The newest batches as this process knows them, so that all that follow the log share one reading of an event.
//!
//! What this process has stored it need not read back: the events are at hand, decoded. What others have stored is read
//! by whoever comes first. Who is further behind than what is kept reads for himself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::event::Event;
use uuid::Uuid;

use crate::enrichment::Locality;
use crate::pseudonym::Unsealed;

/// Bytes of bodies that are kept of what was stored, and as many of what was read. Decoded, they take about as much again.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a batch is kept: what retention has removed is told of no longer than that.
const AGE_MAX: Duration = Duration::from_mins(1);

/// An event and its place in its batch.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) ordinal: i32,
    pub(super) time_suspect: bool,
    pub(super) locality: Locality,
    /// `None` if its bytes are no event any more.
    pub(super) event: Option<Arc<Event>>,
    pub(super) body: Bytes,
    pub(super) original: Unsealed,
}

/// Where a batch comes from. What is read by those who lag must not push out what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This process has stored it.
    Stored,
    /// This process has read it.
    Read,
}

/// What is kept. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    shelves: Arc<Mutex<Shelves>>,
    /// Held by who reads from the database: who comes second finds it read.
    pub(super) reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Shelves {
    stored: Shelf,
    read: Shelf,
}

impl Recent {
    /// Keeps a batch whose events are committed, all that are left of it.
    pub(super) fn keep(&self, batch: Uuid, members: Vec<Member>, origin: Origin, now: Instant) {
        let mut shelves = self.shelves();
        let Shelves { stored, read } = &mut *shelves;
        stored.drop_aged(now);
        read.drop_aged(now);
        let shelf = match origin {
            Origin::Stored => stored,
            Origin::Read => read,
        };
        shelf.put(batch, members.into(), now);
    }

    /// A batch, if it is kept.
    pub(super) fn find(&self, batch: Uuid, now: Instant) -> Option<Arc<[Member]>> {
        let shelves = self.shelves();
        let found = shelves
            .stored
            .get(batch, now)
            .or_else(|| shelves.read.get(batch, now));
        found.cloned()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Batches up to an age and a number of bytes; the oldest go first.
#[derive(Debug, Default)]
struct Shelf {
    batches: HashMap<Uuid, Kept>,
    /// By since when they are kept.
    order: VecDeque<Uuid>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    members: Arc<[Member]>,
    bytes: usize,
    since: Instant,
}

impl Shelf {
    /// A batch that is here already stays as it is: batches do not change.
    fn put(&mut self, batch: Uuid, members: Arc<[Member]>, now: Instant) {
        if self.batches.contains_key(&batch) {
            return;
        }
        let bytes = members.iter().map(|member| member.body.len()).sum();
        let kept = Kept {
            members,
            bytes,
            since: now,
        };
        self.bytes += bytes;
        self.batches.insert(batch, kept);
        self.order.push_back(batch);
        while self.bytes > BYTES_MAX && self.drop_oldest() {}
    }

    fn drop_aged(&mut self, now: Instant) {
        let is_aged = |shelf: &Self| {
            let oldest = shelf.order.front().and_then(|batch| shelf.batches.get(batch));
            oldest.is_some_and(|kept| kept.is_aged(now))
        };
        while is_aged(self) && self.drop_oldest() {}
    }

    /// Whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else {
            return false;
        };
        self.bytes -= self.batches.remove(&oldest).map_or(0, |kept| kept.bytes);
        true
    }

    fn get(&self, batch: Uuid, now: Instant) -> Option<&Arc<[Member]>> {
        let kept = self.batches.get(&batch)?;
        (!kept.is_aged(now)).then_some(&kept.members)
    }
}

impl Kept {
    fn is_aged(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= AGE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: usize = 1024 * 1024;

    fn members(bytes: usize) -> Vec<Member> {
        vec![Member {
            ordinal: 0,
            time_suspect: false,
            locality: Locality::default(),
            event: None,
            body: vec![b'x'; bytes].into(),
            original: Unsealed::AsItIs,
        }]
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn the_oldest_batches_make_room_for_new_ones() {
        let (recent, now) = (Recent::default(), Instant::now());

        for number in 0..20 {
            recent.keep(id(number), members(MEBIBYTE), Origin::Stored, now);
        }

        let found: Vec<_> = (0..20)
            .filter(|number| recent.find(id(*number), now).is_some())
            .collect();
        assert_eq!(found, (4..20).collect::<Vec<_>>());
    }

    #[test]
    fn who_reads_old_batches_pushes_out_nothing_new() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.keep(id(1), members(MEBIBYTE), Origin::Stored, now);

        for number in 2..40 {
            recent.keep(id(number), members(MEBIBYTE), Origin::Read, now);
        }

        assert!(recent.find(id(1), now).is_some());
        assert!(recent.find(id(2), now).is_none());
    }

    #[test]
    fn a_batch_kept_twice_counts_once() {
        let (recent, now) = (Recent::default(), Instant::now());

        for _ in 0..40 {
            recent.keep(id(1), members(MEBIBYTE), Origin::Read, now);
        }

        assert_eq!(recent.shelves().read.bytes, MEBIBYTE);
        assert!(recent.find(id(1), now).is_some());
    }

    #[test]
    fn what_is_old_is_read_again() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.keep(id(1), members(1), Origin::Stored, now);

        assert!(recent.find(id(1), now + Duration::from_secs(59)).is_some());
        assert!(recent.find(id(1), now + AGE_MAX).is_none());
    }

    #[test]
    fn what_is_old_leaves_room_as_soon_as_anything_new_is_kept() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.keep(id(1), members(MEBIBYTE), Origin::Stored, now);
        recent.keep(id(2), members(MEBIBYTE), Origin::Read, now);
        recent.keep(id(3), members(1), Origin::Read, now + AGE_MAX / 2);

        recent.keep(id(4), members(1), Origin::Stored, now + AGE_MAX);

        let shelves = recent.shelves();
        assert_eq!((shelves.stored.bytes, shelves.read.bytes), (1, 1));
        assert_eq!(shelves.read.order, [id(3)]);
        drop(shelves);
        // Read again, it is as new.
        recent.keep(id(2), members(1), Origin::Read, now + AGE_MAX);
        assert!(recent.find(id(2), now + AGE_MAX).is_some());
    }
}
