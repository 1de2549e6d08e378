//! Which values came most often: exactly while they are few, beyond that with a bound on the error that is known. Pure.
//!
//! The summary of Misra and Gries (1982), which adds up ("Mergeable Summaries", Agarwal et al. 2012): when there are more values than there is
//! room, as much is taken off every count as the first that has no room had, and what is then nothing is forgotten. So a value came as often as
//! its count says or more often, by what was taken off at most ([`Frequent::error`]), and that times the room is never more than all events.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::varint::{read, write};

/// Values that are kept of a stretch of time.
const KEPT_MAX: usize = 8_192;

/// The first byte of what is stored.
const VERSION: u8 = 0;

/// A value of 23 bytes at most, which is nearly all of them: the bytes and how many they are. It is found and compared where it lies.
type Short = [u8; 24];

/// Values with how often they came, as far as there is room for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frequent {
    short: HashMap<Short, u64, RandomState>,
    long: HashMap<Box<[u8]>, u64, RandomState>,
    room: usize,
    events: u64,
    error: u64,
}

impl Frequent {
    /// None yet, with as much room as is kept.
    pub(crate) fn kept() -> Self {
        Self::with_room(KEPT_MAX)
    }

    /// None yet.
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            short: HashMap::default(),
            long: HashMap::default(),
            room,
            events: 0,
            error: 0,
        }
    }

    /// Adds a value that came so many times.
    pub(crate) fn insert(&mut self, value: &[u8], times: u64) {
        self.count(value, times);
        self.events = self.events.saturating_add(times);
        self.make_room();
    }

    /// Adds all values of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (value, times) in other.all() {
            self.count(value, times);
        }
        self.events = self.events.saturating_add(other.events);
        self.error = self.error.saturating_add(other.error);
        self.make_room();
    }

    /// Adds what was stored; none, and nothing that counts, if it is something else.
    pub(crate) fn merge_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let (events, error) = (read(&mut rest)?, read(&mut rest)?);
        let mut value = Vec::new();
        while !rest.is_empty() {
            let (shared, more) = (read(&mut rest)?, read(&mut rest)?);
            let shared = usize::try_from(shared)
                .ok()
                .filter(|shared| *shared <= value.len())?;
            value.truncate(shared);
            value.extend_from_slice(rest.split_off(..usize::try_from(more).ok()?)?);
            self.count(&value, read(&mut rest)?);
        }
        self.events = self.events.saturating_add(events);
        self.error = self.error.saturating_add(error);
        self.make_room();
        Some(())
    }

    /// As it is stored: values in their order, each with how much of it is as in the one before.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write(&mut bytes, self.events);
        write(&mut bytes, self.error);
        let mut all: Vec<_> = self.all().collect();
        all.sort_unstable();
        let mut before: &[u8] = &[];
        for (value, times) in all {
            let shared = before
                .iter()
                .zip(value)
                .take_while(|(one, other)| one == other)
                .count();
            let more = value.get(shared..).unwrap_or_default();
            write(&mut bytes, shared as u64);
            write(&mut bytes, more.len() as u64);
            bytes.extend_from_slice(more);
            write(&mut bytes, times);
            before = value;
        }
        bytes
    }

    /// All that were added, whether their values are still known or not.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// By how much each count may be too low at most, and how often a value may have come that is not known any more.
    pub(crate) const fn error(&self) -> u64 {
        self.error
    }

    /// How many values are known.
    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// The most frequent values, those that came most often first, and equal ones in their order.
    pub(crate) fn most(&self, limit: usize) -> Vec<(&[u8], u64)> {
        let mut all: Vec<_> = self.all().collect();
        let in_order =
            |one: &(&[u8], u64), other: &(&[u8], u64)| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0));
        if limit < all.len() {
            all.select_nth_unstable_by(limit, in_order);
            all.truncate(limit);
        }
        all.sort_unstable_by(in_order);
        all
    }

    /// The values that are known to have come so many times or more.
    pub(crate) fn at_least(&self, times: u64) -> impl Iterator<Item = &[u8]> {
        self.all()
            .filter(move |one| one.1 >= times)
            .map(|(value, _)| value)
    }

    fn all(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let short = self.short.iter().map(|(value, times)| (bytes_of(value), *times));
        short.chain(self.long.iter().map(|(value, times)| (&**value, *times)))
    }

    fn count(&mut self, value: &[u8], times: u64) {
        if let Some(short) = short(value) {
            let count = self.short.entry(short).or_default();
            *count = count.saturating_add(times);
        } else if let Some(count) = self.long.get_mut(value) {
            *count = count.saturating_add(times);
        } else {
            self.long.insert(value.into(), times);
        }
    }

    fn make_room(&mut self) {
        if self.len() <= self.room {
            return;
        }
        let mut counts: Vec<_> = self.all().map(|(_, times)| times).collect();
        let (_, first_without_room, _) =
            counts.select_nth_unstable_by(self.room, |one, other| other.cmp(one));
        let taken_off = *first_without_room;
        let take_off = |count: &mut u64| {
            *count = count.saturating_sub(taken_off);
            *count > 0
        };
        self.short.retain(|_, count| take_off(count));
        self.long.retain(|_, count| take_off(count));
        self.error = self.error.saturating_add(taken_off);
    }
}

fn short(value: &[u8]) -> Option<Short> {
    let mut short = Short::default();
    let [bytes @ .., length] = &mut short;
    bytes.get_mut(..value.len())?.copy_from_slice(value);
    *length = u8::try_from(value.len()).ok()?;
    Some(short)
}

fn bytes_of(short: &Short) -> &[u8] {
    let [bytes @ .., length] = short;
    bytes.get(..usize::from(*length)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 16;

    fn of(values: &[u8]) -> Frequent {
        let mut frequent = Frequent::with_room(ROOM);
        for value in values {
            frequent.insert(&[7, *value], 1);
        }
        frequent
    }

    fn truth<'v>(values: impl Iterator<Item = &'v u8>) -> BTreeMap<[u8; 2], u64> {
        let mut counts = BTreeMap::new();
        for value in values {
            *counts.entry([7, *value]).or_default() += 1;
        }
        counts
    }

    /// Every count is right but for the error that is told, which is as small as promised.
    fn check(frequent: &Frequent, truth: &BTreeMap<[u8; 2], u64>) -> Result<(), TestCaseError> {
        let events: u64 = truth.values().sum();
        prop_assert_eq!(frequent.events(), events);
        prop_assert!(frequent.len() <= ROOM);
        let told: BTreeMap<_, _> = frequent.most(ROOM).into_iter().collect();
        for (value, times) in truth {
            let told = told.get(&value[..]).copied().unwrap_or(0);
            prop_assert!(
                told <= *times && *times <= told + frequent.error(),
                "{told} of {times}"
            );
        }
        let sum: u64 = told.values().sum();
        prop_assert!(frequent.error() * (ROOM as u64 + 1) <= events - sum);
        if truth.len() <= ROOM {
            prop_assert_eq!(frequent.error(), 0);
        }
        Ok(())
    }

    #[test]
    fn few_are_exact_and_come_by_number_and_then_by_value() {
        let frequent = of(&[3, 1, 2, 3, 1, 9]);

        assert_eq!(frequent.error(), 0);
        assert_eq!(
            frequent.most(3),
            [(&[7, 1][..], 2), (&[7, 3][..], 2), (&[7, 2][..], 1)]
        );
        assert_eq!(frequent.most(10).len(), 4);
    }

    #[test]
    fn who_comes_often_is_known_among_many_who_come_once() {
        let mut frequent = Frequent::with_room(ROOM);
        for number in 0..1_000_u64 {
            frequent.insert(&number.to_be_bytes(), 1);
            frequent.insert(b"often", 1);
        }

        let (value, times) = frequent.most(1)[0];

        assert_eq!(value, b"often");
        assert!(times < 1_000 && times + frequent.error() >= 1_000, "{times}");
    }

    #[test]
    fn what_is_no_summary_is_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[VERSION, 1],
            &[VERSION, 1, 0, 1, 0, 1],
            &[VERSION, 1, 0, 0, 9, 1, 1],
        ] {
            assert_eq!(Frequent::kept().merge_bytes(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn counts_are_within_the_error_however_they_were_divided(
            one in proptest::collection::vec(0..30_u8, 0..300),
            other in proptest::collection::vec(0..60_u8, 0..300),
            third in proptest::collection::vec(0..10_u8, 0..50),
        ) {
            let all = truth(one.iter().chain(&other).chain(&third));
            check(&of(&[one.clone(), other.clone(), third.clone()].concat()), &all)?;
            let [one, other, third] = [one, other, third].map(|values| of(&values));

            let mut left = one.clone();
            left.merge(&other);
            left.merge(&third);
            let mut right = third;
            right.merge_bytes(&other.to_bytes()).unwrap();
            right.merge_bytes(&one.to_bytes()).unwrap();

            check(&left, &all)?;
            check(&right, &all)?;
        }

        #[test]
        fn what_is_stored_is_read_again(values in proptest::collection::vec("[ab]{0,2}([ab]{20,24})?", 0..40)) {
            let mut frequent = Frequent::with_room(ROOM);
            for value in values {
                frequent.insert(value.as_bytes(), 3);
            }
            let mut read = Frequent::with_room(ROOM);
            read.merge_bytes(&frequent.to_bytes()).unwrap();

            prop_assert_eq!(read, frequent);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let mut frequent = Frequent::with_room(ROOM);
            let _ = frequent.merge_bytes(&bytes);
            frequent.most(3);
        }
    }
}
