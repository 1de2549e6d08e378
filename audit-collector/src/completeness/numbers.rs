//! Which numbers of a source were seen: runs, and the gaps between them. Pure.

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::spool::{EventDigest, RunningHash};

use super::chain::{Chain, Checked};

/// Runs of one source at most. Collectors that share a queue leave a gap for every event that another one holds, which are
/// some thousands; a source with more has lost most of its events, and its oldest gaps are told together.
const RUNS_MAX: usize = 10_000;

/// Digests of one source that wait to be checked at most: half a megabyte.
const WAITING_MAX: usize = 16 * 1024;

/// The numbers of one source that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Numbers(Vec<Run>);

/// Numbers that were seen without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: u64,
    last: u64,
    /// When its first happened.
    begins: UtcMicros,
    /// When its last happened.
    ends: UtcMicros,
    chain: Chain,
    /// What is known of the gap before it, if there is one.
    gap: Option<GapNote>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GapNote {
    noticed_at: UtcMicros,
    /// The numbers under which it was told.
    told: Option<Stretch>,
    /// Numbers in it that were seen, and of which it is not known any more which they are.
    #[serde(default)]
    seen: u64,
}

/// Numbers from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Numbers that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) numbers: Stretch,
    /// How many of them are missing.
    pub(super) missing: u64,
    /// When the number before them happened, if there is one.
    pub(super) after: Option<UtcMicros>,
    /// When the number after them happened.
    pub(super) before: UtcMicros,
    /// When a number beyond them was stored.
    pub(super) noticed_at: UtcMicros,
    /// Whether it was told.
    pub(super) told: Option<Stretch>,
}

/// A number as it is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) number: u64,
    /// When it happened.
    pub(super) time: UtcMicros,
    /// When it was stored.
    pub(super) recorded_at: UtcMicros,
    /// Of the bytes that its source sent; `None` if they are not known any more.
    pub(super) digest: Option<EventDigest>,
    /// The running hash that it declares for all numbers before it.
    pub(super) declared: Option<RunningHash>,
}

/// What became of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether it was seen before.
    pub(super) is_known: bool,
    /// What was checked.
    pub(super) checked: Vec<Checked>,
    /// What was told as missing and is missing no more.
    pub(super) closed: Option<Stretch>,
}

impl Run {
    /// Goes on with the run that begins where this one ends.
    fn join(&mut self, next: Self) -> Checked {
        self.last = next.last;
        self.ends = next.ends;
        self.chain.join(next.chain)
    }
}

impl Numbers {
    /// Notes a number. Whatever the order, the same numbers leave the same gaps.
    pub(super) fn take(&mut self, seen: &Seen) -> Taken {
        let number = seen.number;
        let next = self.0.partition_point(|run| run.first <= number);
        let before = next.checked_sub(1).and_then(|index| self.0.get(index));
        let last = before.map_or(0, |run| run.last);
        if last >= number {
            return Taken {
                is_known: true,
                ..Taken::default()
            };
        }
        let joins_before = last + 1 == number;
        let joins_next = self.0.get(next).is_some_and(|run| run.first == number + 1);
        let note = match self.0.get_mut(next) {
            Some(run) => run.gap.take(),
            None if joins_before => None,
            None => Some(GapNote {
                noticed_at: seen.recorded_at,
                told: None,
                seen: 0,
            }),
        };
        let one = Run {
            first: number,
            last: number,
            begins: seen.time,
            ends: seen.time,
            chain: Chain::of(number, seen.digest, seen.declared),
            gap: note.filter(|_| !joins_before).map(|note| GapNote {
                // Of a gap that is parted, the later part keeps what was seen in it.
                seen: if joins_next { note.seen } else { 0 },
                ..note
            }),
        };
        // What is left of the gap behind it.
        if !joins_next && let Some(run) = self.0.get_mut(next) {
            run.gap = note;
        }
        let mut taken = Taken {
            checked: self.put(next, one, (joins_before && number > 1, joins_next)),
            ..Taken::default()
        };
        let told = note
            .and_then(|note| note.told)
            .filter(|_| joins_before && joins_next);
        taken.closed = told.filter(|told| self.0.iter().all(|run| run.told() != Some(*told)));
        taken
    }

    /// Puts a run of one number before the run `next`, joined with its neighbours where they touch.
    fn put(&mut self, next: usize, one: Run, (joins_before, joins_next): (bool, bool)) -> Vec<Checked> {
        let mut at = next;
        let mut checked = Vec::new();
        if joins_before && let Some(before) = next.checked_sub(1).and_then(|index| self.0.get_mut(index)) {
            checked.push(before.join(one));
            at -= 1;
        } else {
            self.0.insert(at, one);
        }
        if joins_next && at + 1 < self.0.len() {
            let following = self.0.remove(at + 1);
            if let Some(run) = self.0.get_mut(at) {
                checked.push(run.join(following));
            }
        }
        checked
    }

    /// The highest number; zero before the first.
    pub(super) fn last(&self) -> u64 {
        self.0.last().map_or(0, |run| run.last)
    }

    /// The number up to which none is missing.
    pub(super) fn complete_to(&self) -> u64 {
        self.0
            .first()
            .filter(|run| run.first == 1)
            .map_or(0, |run| run.last)
    }

    /// What is missing, in order.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Gap> {
        let before = std::iter::once(None).chain(self.0.iter().map(Some));
        before.zip(&self.0).filter_map(|(before, run)| {
            let note = run.gap?;
            let numbers = Stretch {
                first: before.map_or(0, |run| run.last) + 1,
                last: run.first - 1,
            };
            Some(Gap {
                numbers,
                missing: numbers.count().saturating_sub(note.seen),
                after: before.map(|run| run.ends),
                before: run.begins,
                noticed_at: note.noticed_at,
                told: note.told,
            })
        })
    }

    /// How many numbers are missing.
    pub(super) fn missing(&self) -> u64 {
        self.gaps().fold(0, |sum, gap| sum.saturating_add(gap.missing))
    }

    /// Notes that the gaps which are not told yet and were noticed before `moment` are told as `told`.
    pub(super) fn tell(&mut self, noticed_before: UtcMicros, told: impl Fn(Stretch) -> Stretch) {
        let mut last = 0;
        for run in &mut self.0 {
            let numbers = Stretch {
                first: last + 1,
                last: run.first.saturating_sub(1),
            };
            last = run.last;
            if let Some(note) = &mut run.gap
                && note.told.is_none()
                && note.noticed_at <= noticed_before
            {
                note.told = Some(told(numbers));
            }
        }
    }

    /// Keeps within bounds: joins the oldest gaps of too many, and gives up checking what has waited longest.
    pub(super) fn trim(&mut self) {
        let excess = self.0.len().saturating_sub(RUNS_MAX);
        if excess > 0 {
            let seen: u64 = self.0.iter().skip(1).take(excess).map(Run::count).sum();
            let inner = self.0.drain(1..=excess).filter_map(|run| run.gap);
            let inner = inner.fold(None, |former: Option<GapNote>, note| {
                Some(former.map_or(note, |former| former.and(note)))
            });
            if let Some(following) = self.0.get_mut(1).and_then(|run| run.gap.as_mut()) {
                *following = inner.map_or(*following, |inner| inner.and(*following));
                following.seen += seen;
            }
        }
        let mut waiting: usize = self.0.iter().map(|run| run.chain.waiting()).sum();
        for run in &mut self.0 {
            if waiting <= WAITING_MAX {
                break;
            }
            waiting -= run.chain.waiting();
            run.chain.forget();
        }
    }
}

impl Run {
    const fn count(&self) -> u64 {
        self.last - self.first + 1
    }

    fn told(&self) -> Option<Stretch> {
        self.gap.and_then(|note| note.told)
    }
}

impl GapNote {
    /// Of two gaps that are told together from now on.
    fn and(self, later: Self) -> Self {
        Self {
            noticed_at: self.noticed_at.min(later.noticed_at),
            told: self.told.or(later.told),
            seen: self.seen + later.seen,
        }
    }
}

impl Stretch {
    pub(super) const fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use shared::spool::event_digest;

    use super::*;

    /// Every tenth number declares, as a source does; the first as well.
    fn seen(number: u64, altered: Option<u64>) -> Seen {
        let before = (1..number).fold(RunningHash::default(), |hash, number| {
            hash.after(&number.to_be_bytes())
        });
        let body = if altered == Some(number) { 0 } else { number };
        Seen {
            number,
            time: UtcMicros::from_seconds(number.cast_signed()),
            recorded_at: UtcMicros::from_seconds(1_000),
            digest: Some(event_digest(&body.to_be_bytes())),
            declared: (number == 1 || number.is_multiple_of(10)).then_some(before),
        }
    }

    fn missing(numbers: &Numbers) -> BTreeSet<u64> {
        let stretches = numbers.gaps().map(|gap| gap.numbers);
        stretches
            .flat_map(|numbers| numbers.first..=numbers.last)
            .collect()
    }

    fn altered(taken: &[Taken]) -> Vec<Checked> {
        let checked = taken.iter().flat_map(|taken| taken.checked.clone());
        checked
            .filter(|checked| matches!(checked, Checked::Altered(..)))
            .collect()
    }

    proptest! {
        #[test]
        fn whatever_the_order_what_never_came_is_missing_and_nothing_else(
            came in prop::collection::btree_set(1..60_u64, 1..60),
            again in prop::collection::vec(1..60_u64, 0..20),
            seed: u64,
        ) {
            let highest = *came.last().unwrap();
            let expected: BTreeSet<u64> = (1..=highest).filter(|number| !came.contains(number)).collect();
            let mut order: Vec<u64> = came.iter().copied().collect();
            order.extend(again.into_iter().filter(|number| came.contains(number)));
            order.sort_by_key(|number| number.wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut numbers = Numbers::default();

            let taken: Vec<Taken> = order.iter().map(|number| numbers.take(&seen(*number, None))).collect();

            prop_assert_eq!(missing(&numbers), expected.clone());
            prop_assert_eq!(numbers.missing(), expected.len() as u64);
            prop_assert_eq!(numbers.last(), highest);
            let firsts = taken.iter().filter(|taken| !taken.is_known).count();
            prop_assert_eq!(firsts, came.len());
            prop_assert_eq!(altered(&taken), vec![]);
            let kept: Numbers = serde_json::from_str(&serde_json::to_string(&numbers).unwrap()).unwrap();
            prop_assert_eq!(kept, numbers);
        }

        #[test]
        fn whatever_the_order_one_altered_event_is_found(seed: u64, wrong in 1..40_u64) {
            let mut order: Vec<u64> = (1..=40).collect();
            order.sort_by_key(|number| number.wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut numbers = Numbers::default();

            let taken: Vec<Taken> = order.iter().map(|number| numbers.take(&seen(*number, Some(wrong)))).collect();

            let from = if wrong < 10 { 1 } else { wrong / 10 * 10 };
            let to = (wrong / 10 + 1) * 10 - 1;
            prop_assert_eq!(altered(&taken), vec![Checked::Altered(from, to)]);
            prop_assert_eq!(numbers.complete_to(), 40);
        }
    }

    #[test]
    fn a_gap_that_was_told_is_closed_when_its_last_part_has_come() {
        let mut numbers = Numbers::default();
        for number in [1, 5] {
            numbers.take(&seen(number, None));
        }
        numbers.tell(UtcMicros::from_seconds(1_000), |own| own);

        let told: Vec<_> = [3, 2, 4]
            .map(|number| numbers.take(&seen(number, None)).closed)
            .into();

        assert_eq!(told, [None, None, Some(Stretch { first: 2, last: 4 })]);
        assert_eq!(numbers.complete_to(), 5);
    }

    #[test]
    fn a_source_that_lost_every_second_event_is_kept_within_bounds() {
        let mut numbers = Numbers::default();
        let count = RUNS_MAX as u64 + 500;
        for index in 0..count {
            numbers.take(&Seen {
                declared: None,
                ..seen_fast(2 * index + 1)
            });
        }

        numbers.trim();

        assert_eq!(numbers.0.len(), RUNS_MAX);
        assert_eq!(numbers.missing(), count - 1);
        assert_eq!(numbers.gaps().next().unwrap().numbers.last, 1002);
        assert!(numbers.0.iter().map(|run| run.chain.waiting()).sum::<usize>() <= WAITING_MAX);
    }

    fn seen_fast(number: u64) -> Seen {
        Seen {
            number,
            time: UtcMicros::from_seconds(0),
            recorded_at: UtcMicros::from_seconds(0),
            digest: Some([0; 32]),
            declared: None,
        }
    }

    #[test]
    fn the_largest_number_there_is_overflows_nothing() {
        let mut numbers = Numbers::default();
        for number in [i64::MAX.cast_unsigned(), 1, 7] {
            numbers.take(&seen_fast(number));
        }

        assert_eq!(numbers.missing(), i64::MAX.cast_unsigned() - 3);
        assert_eq!(numbers.gaps().count(), 2);
    }
}
