//! Taking a batch in: what each rule keeps of its events, and what they add to memories. Pure, but for the clock that
//! measures what rules cost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use shared::clock::UtcMicros;
use shared::event::Class;

use super::habit::Noting;
use super::item::Item;
use super::span::{PARTS, micros, open_from, waits, window_start};
use super::tell::tell_breaks;
use super::{Engine, LATENESS, Late, MEMORIES_MAX, MemoryKey, Outcome, Record, Touched};
use crate::detection::rule::{Habit, Pattern, Rule};

impl Engine {
    /// The memories that `records` need and that are not known here.
    pub fn wanted_memories(&self, records: &[Record]) -> Vec<MemoryKey> {
        let mut wanted: Vec<MemoryKey> = records
            .iter()
            .flat_map(|record| self.habits_of(record))
            .map(|(rule, _, group)| (Arc::clone(&rule.id), group))
            .filter(|key| !self.memories.contains_key(key))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    pub(super) fn insert(&mut self, records: &[Record], touched: &mut Touched, outcome: &mut Outcome) {
        let rules = self.rules.clone();
        for (place, rule) in rules.rules().iter().enumerate() {
            let begun = Instant::now();
            for record in records.iter().filter(|record| counts(record)) {
                let seen = record.seen();
                if let Some(item) = Item::of(&rule.pattern, &seen)
                    && let Some(group) = rule.group(&seen)
                {
                    self.insert_item((place, rule), group, item, (touched, outcome));
                }
            }
            outcome.cost(rule, begun.elapsed());
        }
    }

    /// Takes in what a rule keeps of an event.
    fn insert_item(
        &mut self,
        (place, rule): (usize, &Rule),
        group: Vec<String>,
        item: Item,
        (touched, outcome): (&mut Touched, &mut Outcome),
    ) {
        let at = item.at;
        let from = at.saturating_sub(waits(&rule.pattern));
        let reach = micros(rule.pattern.timespan() + rule.pattern.timespan() / PARTS);
        if at < self.watermark.saturating_sub(micros(LATENESS)) {
            widen(&mut outcome.late, from, at.saturating_add(reach));
        }
        if at < window_start(&rule.pattern, open_from(&rule.pattern, self.watermark)) {
            return;
        }
        if let Pattern::Missing(missing) = &rule.pattern {
            if item.is_subject() && at >= self.known_from.saturating_add(reach) {
                let due = at.saturating_add(micros(missing.wait));
                self.waiting.entry(due).or_default().push((place, group.clone()));
            } else if !item.is_partner() {
                return;
            }
        }
        let (Some(groups), Some(touched)) = (self.groups.get_mut(place), touched.get_mut(place)) else {
            return;
        };
        // Most events are of a group that is known.
        let timeline = match groups.get_mut(&group) {
            Some(timeline) => timeline,
            None => groups.entry(group.clone()).or_default(),
        };
        if timeline.is_settled_after(from) {
            widen(&mut outcome.late, from, at.saturating_add(reach));
        }
        if timeline.insert(rule, item) {
            *outcome.forgotten.entry(Arc::clone(&rule.id)).or_default() += 1;
        }
        let earliest = touched.entry(group).or_insert(from);
        *earliest = from.min(*earliest);
    }

    /// What was waited for has had its time.
    pub(super) fn take_waiting(&mut self, touched: &mut Touched) {
        let later = self.waiting.split_off(&self.watermark.saturating_add(1));
        for (due, groups) in std::mem::replace(&mut self.waiting, later) {
            for (place, group) in groups {
                let rule = self.rules.rules().get(place);
                let at = due - rule.map_or(0, |rule| waits(&rule.pattern));
                let Some(touched) = touched.get_mut(place) else {
                    continue;
                };
                let earliest = touched.entry(group).or_insert(at);
                *earliest = (*earliest).min(at);
            }
        }
    }

    fn habits_of<'r>(
        &'r self,
        record: &'r Record,
    ) -> impl Iterator<Item = (&'r Arc<Rule>, &'r Habit, Vec<String>)> {
        let seen = record.seen();
        let rules = self.rules.rules().iter().filter(|_| counts(record));
        rules.filter_map(move |rule| match &rule.pattern {
            Pattern::Habit(habit) if habit.filter.matches(&seen) => Some((rule, habit, rule.group(&seen)?)),
            _ => None,
        })
    }

    /// Takes events into the memories.
    pub(super) fn note(&mut self, records: &[Record], outcome: &mut Outcome) {
        let rules = self.rules.clone();
        let habits = rules.rules().iter().filter_map(|rule| match &rule.pattern {
            Pattern::Habit(habit) => Some((rule, habit)),
            _ => None,
        });
        for (rule, habit) in habits {
            let mut noting: HashMap<Vec<String>, Noting> = HashMap::new();
            for record in records.iter().filter(|record| counts(record)) {
                let seen = record.seen();
                if !habit.filter.matches(&seen) {
                    continue;
                }
                let Some(group) = rule.group(&seen) else { continue };
                let memory = self
                    .memories
                    .entry((Arc::clone(&rule.id), group.clone()))
                    .or_default();
                let noted = noting
                    .entry(group)
                    .or_insert_with(|| Noting::begin(habit, memory));
                noted.note(habit, memory, &seen);
            }
            for (group, noted) in noting {
                let key = (Arc::clone(&rule.id), group);
                if let Some(memory) = self.memories.get_mut(&key) {
                    let (raised, withdrawn) = noted.end(habit, memory);
                    outcome.memories.push((key.clone(), memory.clone()));
                    tell_breaks(rule, habit, &key.1, (raised, withdrawn), outcome);
                }
            }
        }
        // Whoever was told of them has them.
        if self.memories.len() > MEMORIES_MAX {
            self.memories.clear();
        }
    }
}

/// Whether an event is looked at: what the detection itself finds is not.
fn counts(record: &Record) -> bool {
    record.event.facts.class != Class::Alert
}

pub(super) fn widen(late: &mut Option<Late>, from: i64, until: i64) {
    let known = late.get_or_insert(Late {
        from: UtcMicros::from_micros(from),
        until: UtcMicros::from_micros(until),
    });
    known.from = known.from.min(UtcMicros::from_micros(from));
    known.until = known.until.max(UtcMicros::from_micros(until));
}
