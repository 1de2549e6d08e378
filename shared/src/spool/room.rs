//! Room that is held for events that are certain to come.
//!
//! What a request does cannot be undone when its event finds no room. So room is held before, and given back after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::SpoolError;

/// Bytes held for one event: more than nearly all have. One that is larger is taken all the same.
const EVENT_BYTES: u64 = 4 * 1024;

/// How full the spool is, as the writer tells and callers ask.
#[derive(Debug)]
pub(super) struct Room {
    bytes_max: u64,
    used: AtomicU64,
    left: AtomicU64,
    held: AtomicU64,
    is_failing: AtomicBool,
    intents: AtomicUsize,
}

impl Room {
    pub(super) fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            used: AtomicU64::new(0),
            left: AtomicU64::new(0),
            held: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            intents: AtomicUsize::new(0),
        })
    }

    /// Bytes at most.
    pub(super) const fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes that are not confirmed.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that boots that are gone have left, and that nobody drains.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    pub(super) fn note_left(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Whether so many bytes of this boot fit in beside what others have left.
    pub(super) fn admits(&self, bytes: u64) -> bool {
        bytes.saturating_add(self.left()) <= self.bytes_max
    }

    /// Whether the last write failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Notes what a write left; `None` if it failed. The next write that succeeds, a heartbeat at the latest, ends that.
    /// Returns whether this is news.
    pub(super) fn note(&self, used: Option<u64>) -> bool {
        if let Some(used) = used {
            self.used.store(used, Ordering::Relaxed);
        }
        self.is_failing.swap(used.is_none(), Ordering::Relaxed) != used.is_none()
    }

    /// Intents whose outcome has not come.
    pub(super) fn intents(&self) -> usize {
        self.intents.load(Ordering::Relaxed)
    }

    pub(super) fn note_intents(&self, count: usize) {
        self.intents.store(count, Ordering::Relaxed);
    }

    pub(super) fn reserve(self: &Arc<Self>) -> Result<Reservation, SpoolError> {
        if self.is_failing() {
            return Err(SpoolError::Failing);
        }
        let held = self.held.fetch_add(EVENT_BYTES, Ordering::Relaxed) + EVENT_BYTES;
        let reservation = Reservation(Arc::clone(self));
        if !self.admits(self.used().saturating_add(held)) {
            return Err(SpoolError::Full);
        }
        Ok(reservation)
    }
}

/// Room for the events of one request. Dropped, it is given back.
#[derive(Debug)]
pub struct Reservation(Arc<Room>);

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.held.fetch_sub(EVENT_BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_held_once_and_given_back() {
        let room = Room::new(2 * EVENT_BYTES);
        let first = room.reserve().unwrap();
        let _second = room.reserve().unwrap();
        assert!(matches!(room.reserve(), Err(SpoolError::Full)));

        drop(first);

        assert!(room.reserve().is_ok());
    }

    #[test]
    fn what_is_written_leaves_no_room() {
        let room = Room::new(2 * EVENT_BYTES);

        room.note(Some(EVENT_BYTES + 1));

        assert!(matches!(room.reserve(), Err(SpoolError::Full)));
    }

    #[test]
    fn what_others_have_left_leaves_no_room_until_it_is_drained() {
        let room = Room::new(2 * EVENT_BYTES);

        room.note_left(EVENT_BYTES + 1);
        assert!(matches!(room.reserve(), Err(SpoolError::Full)));
        room.note_left(0);

        assert!(room.reserve().is_ok());
    }

    #[test]
    fn a_failed_write_leaves_none_until_one_succeeds() {
        let room = Room::new(EVENT_BYTES);
        room.note(None);
        assert!(matches!(room.reserve(), Err(SpoolError::Failing)));

        room.note(Some(0));

        assert!(room.reserve().is_ok());
    }
}
