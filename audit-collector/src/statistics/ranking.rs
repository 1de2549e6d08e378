//! The most frequent users or addresses, put together of what is kept and of rows. Pure.

use super::Count;
use super::dimension::Dimension;
use crate::rollup::Frequent;

/// Values that are put together in an answer at most. Beyond that its error grows and is told.
const ROOM: usize = 1 << 17;

/// The values of one field.
#[derive(Debug)]
pub(super) struct Ranking {
    by: Dimension,
    frequent: Frequent,
}

impl Ranking {
    pub(super) fn of(by: Dimension) -> Self {
        Self {
            by,
            frequent: Frequent::with_room(ROOM),
        }
    }

    /// Adds a value of rows.
    pub(super) fn insert(&mut self, value: &str, events: i64) {
        self.frequent
            .insert(&self.by.bytes(value), u64::try_from(events).unwrap_or(0));
    }

    /// Adds what is kept. What is no summary any more, which only a change of the database can cause, counts nothing.
    pub(super) fn merge(&mut self, kept: &[u8]) {
        let _ = self.frequent.merge_bytes(kept);
    }

    /// The most frequent values, the most frequent first.
    pub(super) fn most(&self, limit: usize) -> Vec<Count> {
        let count = |(value, events)| Count {
            value: self.by.shown_bytes(value),
            events: signed(events),
        };
        self.frequent.most(limit).into_iter().map(count).collect()
    }

    /// All events with a value.
    pub(super) const fn events(&self) -> i64 {
        signed(self.frequent.events())
    }

    /// How many values there are, if all are known.
    pub(super) fn distinct(&self) -> Option<i64> {
        let known = signed(self.frequent.len() as u64);
        self.error().is_none().then_some(known)
    }

    /// How many events each value may have more than is told, at most; none if all is exact.
    pub(super) fn error(&self) -> Option<i64> {
        let error = self.frequent.error();
        (error > 0).then_some(signed(error))
    }
}

const fn signed(number: u64) -> i64 {
    if number > i64::MAX as u64 {
        return i64::MAX;
    }
    number.cast_signed()
}
