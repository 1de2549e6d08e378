//! What a part of the log adds to the counts. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use shared::event::Event;

use super::sketch::{Distinct, Spread, ValueHash};
use super::source::{DAY, HOUR, MINUTE};
use crate::event_log::{Positioned, address_bytes, address_of_bytes, searchable};
use crate::search::TEXT_CHARACTERS_MAX;

/// By what is counted: as the columns of an event, texts by their first characters, since a key must fit into an index, and
/// empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'e> {
    /// In seconds.
    pub(super) width: i64,
    /// When it begins, in microseconds.
    pub(super) start: i64,
    pub(super) class: &'static str,
    pub(super) action: Cow<'e, str>,
    pub(super) outcome: &'static str,
    pub(super) reason: Cow<'e, str>,
    pub(super) service: &'e str,
    pub(super) route: Cow<'e, str>,
    pub(super) template: Cow<'e, str>,
    pub(super) status: i32,
}

/// How many events there are of each kind. Bytes that are no event any more count nowhere.
pub(super) fn count(events: &[Positioned]) -> BTreeMap<Key<'_>, i64> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter_map(|one| one.event.as_deref()) {
        *counts.entry(Key::of(event, MINUTE)).or_default() += 1;
    }
    let hours: Vec<_> = counts
        .iter()
        .map(|(key, events): (&Key<'_>, &i64)| (key.widened(HOUR), *events))
        .collect();
    for (key, events) in hours {
        *counts.entry(key).or_default() += events;
    }
    counts
}

/// What is kept of events beside their count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch {
    pub(super) events: i64,
    pub(super) users: Distinct,
    pub(super) addresses: Distinct,
    pub(super) durations: Spread,
}

/// The sketches of the events of each kind, by hour and by day.
pub(super) fn sketch(events: &[Positioned]) -> BTreeMap<Key<'_>, Sketch> {
    let mut sketches = BTreeMap::new();
    for event in events.iter().filter_map(|one| one.event.as_deref()) {
        let sketch: &mut Sketch = sketches.entry(Key::of(event, HOUR)).or_default();
        sketch.insert(event);
    }
    let mut days: BTreeMap<Key<'_>, Sketch> = BTreeMap::new();
    for (key, sketch) in &sketches {
        days.entry(key.widened(DAY)).or_default().merge(sketch);
    }
    sketches.append(&mut days);
    sketches
}

impl Sketch {
    fn insert(&mut self, event: &Event) {
        let facts = &event.facts;
        self.events += 1;
        if let Some(user) = facts.actor.username.as_ref().or(facts.actor.sub.as_ref()) {
            self.users.insert(ValueHash::of(&searchable(user)));
        }
        let address = facts.client.as_ref().and_then(|client| client.ip.as_deref());
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            let shown = address_of_bytes(address_bytes(address)).to_string();
            self.addresses.insert(ValueHash::of(&shown));
        }
        if let Some(micros) = facts.http.as_ref().and_then(|http| http.duration_us) {
            self.durations.insert(micros, 1);
        }
    }

    /// Adds what is kept of other events.
    pub(super) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.users.merge(&other.users);
        self.addresses.merge(&other.addresses);
        self.durations.merge(&other.durations);
    }
}

impl<'e> Key<'e> {
    fn of(event: &'e Event, width: i64) -> Self {
        let facts = &event.facts;
        let http = facts.http.as_ref();
        let policy = facts.policy.as_ref();
        Self {
            width,
            start: start(event.time.as_micros(), width),
            class: facts.class.as_str(),
            action: short(&facts.action),
            outcome: facts.outcome.as_str(),
            reason: short(facts.reason.as_deref().unwrap_or_default()),
            service: &event.source.service,
            route: short(
                policy
                    .and_then(|policy| policy.route.as_deref())
                    .unwrap_or_default(),
            ),
            template: short(http.and_then(|http| http.route.as_deref()).unwrap_or_default()),
            status: http.and_then(|http| http.status).map_or(0, i32::from),
        }
    }

    fn widened(&self, width: i64) -> Self {
        Self {
            width,
            start: start(self.start, width),
            ..self.clone()
        }
    }
}

/// When the stretch begins that holds a moment; what was before 1970 is in the first one of 1970.
const fn start(micros: i64, width: i64) -> i64 {
    let width = width * 1_000_000;
    micros / width * width
}

/// A text as counts are kept by it.
fn short(text: &str) -> Cow<'_, str> {
    let end = text
        .char_indices()
        .nth(TEXT_CHARACTERS_MAX)
        .map_or(text.len(), |(end, _)| end);
    let first = text.get(..end).unwrap_or_default();
    searchable(first)
}
