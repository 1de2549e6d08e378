//! The events of one group that matter to one rule, in order, and the alerts that stand on them. Pure.
//!
//! A rule fires *with* an event, by the events up to it. An alert is a period in which it fires: so a late event can only
//! change what is after it, and the same events give the same alerts in whatever order they came.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use super::Finding;
use super::hits::{evidence, first_from, mark};
use super::item::Item;
use super::span::{micros, part};
use crate::detection::rule::Rule;

/// Events that are kept of one group at most. More of the oldest are forgotten.
const ITEMS_MAX: usize = 20_000;

/// The events of a group.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    items: VecDeque<Item>,
    /// Alerts by the beginning of their period.
    standing: BTreeMap<i64, Standing>,
}

/// An alert, as far as the events of its group tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// The event that the rule fires with, the first of the period.
    pub(super) key: (i64, Uuid),
    /// The highest value of the period.
    pub(super) value: f64,
    /// When the first of the events happened that it stands on.
    pub(super) since: i64,
    /// When the last event of the period happened with which the rule fires.
    pub(super) until: i64,
    /// The events that it stands on.
    pub(super) evidence: Vec<Uuid>,
    /// What of it nothing can take back here: events are forgotten with which the rule fired.
    settled: Option<Settled>,
}

/// The part of an alert's period whose events are not known any more.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Settled {
    /// The highest value.
    value: f64,
    /// When the last event happened with which the rule fired.
    until: i64,
}

/// What has become of the alerts.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// New or changed.
    pub(super) raised: Vec<(i64, Standing)>,
    /// No more.
    pub(super) withdrawn: Vec<i64>,
}

impl Timeline {
    /// Takes an event in. Taken in twice, it counts once. Returns whether the oldest had to be forgotten for it.
    pub(super) fn insert(&mut self, rule: &Rule, item: Item) -> bool {
        if let Some(part) = part(&rule.pattern) {
            let begins = item.at.div_euclid(part) * part;
            let (from, until) = (
                first_from(&self.items, begins),
                first_from(&self.items, begins + part),
            );
            let is_same = |other: &Item| other.values() == item.values() && other.marks() == item.marks();
            if let Some(place) = (from..until).find(|place| self.items.get(*place).is_some_and(is_same)) {
                // The first of them stands for all.
                if self
                    .items
                    .get(place)
                    .is_some_and(|other| other.key() <= item.key())
                {
                    return false;
                }
                self.items.remove(place);
            }
        }
        let place = match self.items.back() {
            Some(last) if last.key() < item.key() => self.items.len(),
            _ => self.items.partition_point(|other| other.key() < item.key()),
        };
        if self
            .items
            .get(place)
            .is_some_and(|other| other.key() == item.key())
        {
            return false;
        }
        self.make_room();
        self.items.insert(place, item);
        let is_full = self.items.len() > ITEMS_MAX;
        if is_full {
            self.forget_first(micros(rule.repeat));
        }
        is_full
    }

    /// Decides anew about everything from `from` until `until`, both included, and tells what changed.
    pub(super) fn judge(&mut self, rule: &Rule, from: i64, until: i64) -> Changes {
        let mut changes = Changes::default();
        let range = first_from(&self.items, from)..first_from(&self.items, until.saturating_add(1));
        let Some(first) = self.items.get(range.start) else {
            return changes;
        };
        let period = micros(rule.repeat);
        let mut begins = first.at.div_euclid(period) * period;
        mark(&rule.pattern, &mut self.items, range.clone());
        let end = range.end.checked_sub(1).and_then(|last| self.items.get(last));
        let last = end.map_or(begins, |item| item.at);
        while begins <= last {
            self.decide(rule, begins, period, &mut changes);
            // Periods without events are not looked at one by one.
            let next = self.items.get(first_from(&self.items, begins + period));
            begins = next.map_or(i64::MAX, |item| item.at.div_euclid(period) * period);
        }
        changes
    }

    fn decide(&mut self, rule: &Rule, begins: i64, period: i64, changes: &mut Changes) {
        let before = self.standing.get(&begins);
        let fresh = self.standing_in(rule, begins, period);
        let now = match before.and_then(|before| Some((before, before.settled?))) {
            Some((before, settled)) => Some(Standing {
                value: fresh
                    .as_ref()
                    .map_or(settled.value, |fresh| fresh.value.max(settled.value)),
                until: fresh.map_or(settled.until, |fresh| fresh.until.max(settled.until)),
                ..before.clone()
            }),
            None => fresh,
        };
        match now {
            Some(now) if before != Some(&now) => {
                self.standing.insert(begins, now.clone());
                changes.raised.push((begins, now));
            }
            None if before.is_some() => {
                self.standing.remove(&begins);
                changes.withdrawn.push(begins);
            }
            Some(_) | None => {}
        }
    }

    fn standing_in(&self, rule: &Rule, begins: i64, period: i64) -> Option<Standing> {
        let range = first_from(&self.items, begins)..first_from(&self.items, begins.saturating_add(period));
        let mut hits = range.filter_map(|place| {
            let item = self.items.get(place)?;
            Some((place, item, item.hit()?))
        });
        let (place, first, value) = hits.next()?;
        let on = evidence(&rule.pattern, &self.items, place);
        let mut standing = Standing {
            key: first.key(),
            value,
            since: self.items.get(on.start).map_or(first.at, |item| item.at),
            until: first.at,
            evidence: self.items.range(on).map(|item| item.id).collect(),
            settled: None,
        };
        for (_, item, value) in hits {
            standing.value = standing.value.max(value);
            standing.until = item.at;
        }
        Some(standing)
    }

    /// Whether an event at `at` may change what is settled, so that only the log can tell what it changes.
    pub(super) fn is_settled_after(&self, at: i64) -> bool {
        let mut settled = self.standing.values().filter_map(|standing| standing.settled);
        settled.any(|settled| settled.until >= at)
    }

    /// The beginnings of the periods that have an alert.
    pub(super) fn periods(&self) -> Vec<i64> {
        self.standing.keys().copied().collect()
    }

    /// Takes over what the log tells of the part of a period that lies before `open_from`: the alert as it stands on that, if there is one.
    /// Tells what stands by that and by what is known here of the rest.
    pub(super) fn correct(
        &mut self,
        rule: &Rule,
        begins: i64,
        open_from: i64,
        told: Option<Standing>,
    ) -> Changes {
        let period = micros(rule.repeat);
        let ends = open_from.clamp(begins, begins.saturating_add(period));
        let told_of = first_from(&self.items, begins)..first_from(&self.items, ends);
        for item in self.items.range_mut(told_of) {
            item.set_hit(None);
        }
        let is_of_the_rest =
            |standing: &Standing| standing.settled.is_some_and(|settled| settled.until >= open_from);
        let forgotten = self.standing.remove(&begins).filter(is_of_the_rest);
        if let Some(settled) = Standing::both(told, forgotten) {
            self.standing.insert(begins, settled);
        }
        self.decide(rule, begins, period, &mut Changes::default());
        let mut changes = Changes::default();
        match self.standing.get(&begins) {
            Some(standing) => changes.raised.push((begins, standing.clone())),
            None => changes.withdrawn.push(begins),
        }
        changes
    }

    /// Takes it that the alert of the period is told and stands on events that are not known here.
    pub(super) fn recall(&mut self, begins: i64, standing: Standing) {
        self.standing.insert(begins, standing);
    }

    /// Forgets events before `limit`, and alerts that nothing can change any more. Returns whether anything is left.
    pub(super) fn forget_before(&mut self, rule: &Rule, limit: i64) -> bool {
        let period = micros(rule.repeat);
        self.forget_events_before(rule, limit);
        self.standing
            .retain(|begins, _| begins.saturating_add(period) > limit);
        !self.items.is_empty() || !self.standing.is_empty()
    }

    /// Forgets the events before `limit` and nothing that is told of them; returns how many they were.
    pub(super) fn forget_events_before(&mut self, rule: &Rule, limit: i64) -> u64 {
        let before = self.items.len();
        while self.items.front().is_some_and(|item| item.at < limit) {
            self.forget_first(micros(rule.repeat));
        }
        self.give_back();
        (before - self.items.len()) as u64
    }

    /// Makes room for one event, and for a quarter more if there is none: a deque that grows by itself doubles, and half of what all
    /// groups have would be empty. It begins with room for four, and one is all that most groups of a token ever have.
    fn make_room(&mut self) {
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact((self.items.len() / 4).max(1));
        }
    }

    /// Gives the memory of many forgotten events back: their group may go on for long with a few.
    fn give_back(&mut self) {
        if self.items.capacity() > 2 * self.items.len() {
            self.items.shrink_to(self.items.len() + self.items.len() / 4);
        }
    }

    /// How many events there is memory for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.items.capacity()
    }

    /// How many events are kept.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// When the events happened that are kept.
    pub(super) fn moments(&self) -> impl Iterator<Item = i64> {
        self.items.iter().map(|item| item.at)
    }

    /// What stands on a forgotten event cannot be taken back here any more.
    fn forget_first(&mut self, period: i64) {
        let Some(item) = self.items.pop_front() else {
            return;
        };
        let begins = item.at.div_euclid(period) * period;
        if let (Some(hit), Some(standing)) = (item.hit(), self.standing.get_mut(&begins)) {
            let before = standing.settled.map_or(hit, |settled| settled.value);
            standing.settled = Some(Settled {
                value: before.max(hit),
                until: item.at,
            });
        }
    }

    /// When the newest event happened.
    pub(super) fn newest(&self) -> i64 {
        self.items.back().map_or(i64::MIN, |item| item.at)
    }
}

impl Standing {
    /// An alert that is told, and stands whatever becomes of the events that are known here.
    pub(super) fn of(finding: &Finding) -> Self {
        let last = finding.evidence.last().copied().unwrap_or_default();
        let (value, until) = (finding.value, finding.until.as_micros());
        Self {
            key: (finding.at.as_micros(), last),
            value,
            since: finding.since.as_micros(),
            until,
            evidence: finding.evidence.clone(),
            settled: Some(Settled { value, until }),
        }
    }

    /// One alert of the settled parts of one period, of which the first comes first.
    fn both(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        let (Some(first), Some(second)) = (&first, &second) else {
            return first.or(second);
        };
        let settled = [first.settled, second.settled].into_iter().flatten();
        let settled = settled.reduce(|one, other| Settled {
            value: one.value.max(other.value),
            until: one.until.max(other.until),
        })?;
        Some(Self {
            value: settled.value,
            until: settled.until,
            settled: Some(settled),
            ..first.clone()
        })
    }
}
