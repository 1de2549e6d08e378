//! What is usual for a group over many days, and where it breaks with that. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::item::amount;
use super::tally::to_float;
use crate::detection::field::Seen;
use crate::detection::rule::{Habit, HabitBreak};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Values that are remembered of a group at most; those that were not seen for the longest time are forgotten.
const VALUES_MAX: usize = 64;

/// Days on which a value was seen that are remembered at most.
const DAYS_SEEN_MAX: usize = 16;

/// For so many days an event may come late: older ones are suspect, and count when they are stored.
const LATE_DAYS: i64 = 8;

/// Events of a finding that are named at most.
const EVIDENCE_MAX: usize = 10;

/// What is remembered of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The first day or hour in which anything of the group was seen.
    first: Option<i64>,
    /// For each value the days or hours in which it was seen, and how much of it.
    values: BTreeMap<String, BTreeMap<i64, u64>>,
}

/// A break with the usual: the value and the beginning of its day or hour.
pub(super) type Break = (String, i64);

/// Breaks that are new or changed, with their values and events.
pub(super) type Breaks = Vec<(Break, f64, Vec<Uuid>)>;

/// A group's memory while a batch is taken in.
#[derive(Debug, Default)]
pub(super) struct Noting {
    before: BTreeMap<Break, f64>,
    evidence: BTreeMap<Break, Vec<Uuid>>,
}

impl Noting {
    /// Begins to take events in.
    pub(super) fn begin(habit: &Habit, memory: &Memory) -> Self {
        Self {
            before: memory.breaks(habit),
            evidence: BTreeMap::new(),
        }
    }

    /// Takes an event in.
    pub(super) fn note(&mut self, habit: &Habit, memory: &mut Memory, seen: &Seen<'_>) {
        let (value, amount) = match &habit.break_of {
            HabitBreak::NewValue { field, .. } => match field.value(seen) {
                Some(value) => (shared::event::bounded(&value.into_text(), 256), 1),
                None => return,
            },
            HabitBreak::Return { .. } => (String::new(), 1),
            HabitBreak::Volume { field, .. } => {
                let amount = field.as_ref().map_or(1, |field| amount(field, seen));
                (String::new(), amount)
            }
        };
        let slot = seen.at.as_micros().div_euclid(habit.slot());
        let first = memory.first.get_or_insert(slot);
        *first = slot.min(*first);
        *memory
            .values
            .entry(value.clone())
            .or_default()
            .entry(slot)
            .or_default() += amount;
        let evidence = self.evidence.entry((value, slot * habit.slot())).or_default();
        if evidence.len() < EVIDENCE_MAX {
            evidence.push(seen.event.id);
        }
    }

    /// What has become of the breaks: new or changed ones with their events, and those that are none any more.
    pub(super) fn end(mut self, habit: &Habit, memory: &mut Memory) -> (Breaks, Vec<Break>) {
        memory.prune(habit);
        let after = memory.breaks(habit);
        let withdrawn = self
            .before
            .keys()
            .filter(|place| !after.contains_key(*place))
            .cloned()
            .collect();
        let mut raised = Vec::new();
        for (place, value) in after {
            if self.before.get(&place) != Some(&value) {
                let evidence = self.evidence.remove(&place).unwrap_or_default();
                raised.push((place, value, evidence));
            }
        }
        (raised, withdrawn)
    }
}

impl Habit {
    /// How long what is remembered as one is, in microseconds.
    pub(super) const fn slot(&self) -> i64 {
        match self.break_of {
            HabitBreak::NewValue { .. } | HabitBreak::Return { .. } => DAY,
            HabitBreak::Volume { .. } => HOUR,
        }
    }
}

impl Memory {
    /// Every break in the time in which events may still come.
    fn breaks(&self, habit: &Habit) -> BTreeMap<Break, f64> {
        let newest = self
            .values
            .values()
            .filter_map(|slots| slots.keys().next_back())
            .max();
        let since = newest.map_or(i64::MAX, |newest| newest - LATE_DAYS * (DAY / habit.slot()));
        let mut breaks = BTreeMap::new();
        for (value, slots) in &self.values {
            for (slot, amount) in slots.range(since.min(i64::MAX - 1)..) {
                let before = slots.range(..slot);
                let found = match &habit.break_of {
                    HabitBreak::NewValue {
                        days, learning_days, ..
                    } => self.is_new(*slot, before.last(), *days, *learning_days),
                    HabitBreak::Return { days } => silence(*slot, before.last(), *days),
                    HabitBreak::Volume {
                        floor, factor, days, ..
                    } => {
                        // Hours of the same day are no history: an attack would be its own measure.
                        let today = slot.div_euclid(24) * 24;
                        let highest = slots
                            .range(today - days * 24..today)
                            .map(|(_, amount)| *amount)
                            .max();
                        let usual = to_float(highest.unwrap_or(0)) * factor;
                        let amount = to_float(*amount);
                        (amount >= to_float(*floor) && amount > usual).then_some(amount)
                    }
                };
                if let Some(measure) = found {
                    breaks.insert((value.clone(), slot * habit.slot()), measure);
                }
            }
        }
        breaks
    }

    fn is_new(&self, slot: i64, before: Option<(&i64, &u64)>, days: i64, learning_days: i64) -> Option<f64> {
        let is_known = self.first.is_some_and(|first| first <= slot - learning_days);
        let is_forgotten = before.is_none_or(|(seen, _)| slot - seen > days);
        (is_known && is_forgotten).then_some(1.0)
    }

    /// Keeps what can still matter, whatever comes late.
    fn prune(&mut self, habit: &Habit) {
        for slots in self.values.values_mut() {
            if let HabitBreak::Volume { days, .. } = &habit.break_of {
                let newest = slots.keys().next_back().copied().unwrap_or(0);
                let oldest = newest - (days + LATE_DAYS + 1) * 24;
                slots.retain(|slot, _| *slot >= oldest);
            } else {
                while slots.len() > DAYS_SEEN_MAX {
                    slots.pop_first();
                }
            }
        }
        while self.values.len() > VALUES_MAX {
            let last_seen = |slots: &BTreeMap<i64, u64>| slots.keys().next_back().copied();
            let oldest = self
                .values
                .iter()
                .min_by_key(|(value, slots)| (last_seen(slots), (*value).clone()));
            let Some(oldest) = oldest.map(|(value, _)| value.clone()) else {
                return;
            };
            self.values.remove(&oldest);
        }
    }
}

/// The days of silence before, if they are more than so many.
fn silence(slot: i64, before: Option<(&i64, &u64)>, days: i64) -> Option<f64> {
    let gap = slot - before?.0;
    (gap > days).then(|| to_float(gap.unsigned_abs()))
}
