//! What a part of the log adds to the counts and sketches. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use shared::event::Event;

use super::heavy::ByName;
use super::kind::{Kinds, Place, short};
use super::sketch::{Frequent, Names, Sketch, ValueHash};
use super::source::{COUNTED, DAY, HOUR, MINUTE, SECOND, SKETCHED, TEN_MINUTES};
use crate::event_log::{Positioned, address_bytes, address_of_bytes, searchable};
use crate::search::Detail;

/// Values whose hashes are remembered. Few are new in each page of the log.
const REMEMBERED_MAX: usize = 1 << 15;

/// Where a count or a sketch is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) detail: Detail,
    /// In seconds.
    pub(super) width: i64,
    /// When it begins, in microseconds.
    pub(super) start: i64,
    pub(super) kind: Place,
}

/// What is to be added to what is kept.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) counts: BTreeMap<Cell, i64>,
    pub(super) sketches: BTreeMap<Cell, Sketch>,
    pub(super) by_name: ByName,
}

impl Added {
    /// The days of which something is added.
    pub(super) fn days(&self) -> BTreeSet<i64> {
        let days = self.counts.keys().filter(|cell| cell.width == DAY);
        days.map(|cell| cell.start).collect()
    }
}

/// Events that were read and are not added yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    events: usize,
    /// By minute and kind in full: what else is counted comes of it.
    counts: HashMap<(i64, Place), i64, RandomState>,
    /// By ten minutes and kind in full: those of longer stretches come of them.
    sketches: HashMap<(i64, Place), Sketch, RandomState>,
    /// By ten minutes and kind in brief.
    names: HashMap<(i64, Place), Names, RandomState>,
    by_name: ByName,
    hashes: Hashes,
}

impl Pending {
    /// Takes events. Bytes that are no event any more count nowhere.
    pub(super) fn add(&mut self, events: &[Positioned], kinds: &mut Kinds) {
        self.events += events.len();
        for event in events.iter().filter_map(|one| one.event.as_deref()) {
            let kind = kinds.of(event);
            let time = event.time.as_micros();
            *self.counts.entry((start(time, MINUTE), kind)).or_default() += 1;
            let stretch = start(time, TEN_MINUTES);
            let sketch = self.sketches.entry((stretch, kind)).or_default();
            let names = self.names.entry((stretch, kinds.brief(kind))).or_default();
            let address = self.hashes.sketch(event, sketch, names);
            self.by_name.add(event, address, (start(time, HOUR), kind));
        }
    }

    /// How many events were taken.
    pub(super) const fn events(&self) -> usize {
        self.events
    }

    /// What all of them add, by every width and detail; afterwards there are none.
    pub(super) fn take(&mut self, kinds: &Kinds) -> Added {
        self.events = 0;
        let mut added = Added {
            by_name: std::mem::take(&mut self.by_name),
            ..Added::default()
        };
        for ((minute, kind), events) in self.counts.drain() {
            for kind in [kind, kinds.brief(kind)] {
                for width in COUNTED {
                    let cell = Cell::of(kinds, kind, (width, minute));
                    *added.counts.entry(cell).or_default() += events;
                }
            }
        }
        for ((stretch, kind), sketch) in self.sketches.drain() {
            for kind in [kind, kinds.brief(kind)] {
                let cell = Cell::of(kinds, kind, (TEN_MINUTES, stretch));
                added.sketches.entry(cell).or_default().merge(&sketch);
            }
        }
        for ((stretch, kind), names) in self.names.drain() {
            let cell = Cell::of(kinds, kind, (TEN_MINUTES, stretch));
            added.sketches.entry(cell).or_default().names = Some(names);
        }
        let narrowest = std::mem::take(&mut added.sketches);
        for (cell, sketch) in &narrowest {
            for width in SKETCHED.into_iter().filter(|width| *width > TEN_MINUTES) {
                let wider = Cell::of(kinds, cell.kind, (width, cell.start));
                added.sketches.entry(wider).or_default().merge(sketch);
            }
        }
        added.sketches.extend(narrowest);
        added
    }
}

impl Cell {
    fn of(kinds: &Kinds, kind: Place, (width, time): (i64, i64)) -> Self {
        Self {
            detail: kinds.detail(kind),
            width,
            start: start(time, width),
            kind,
        }
    }
}

/// An address, and its hash.
type Address = ([u8; 16], ValueHash);

/// Hashes of users and addresses that came before, so that most events need none.
#[derive(Debug, Default)]
struct Hashes {
    users: HashMap<Box<str>, ValueHash, RandomState>,
    /// None of a text that is no address.
    addresses: HashMap<Box<str>, Option<Address>, RandomState>,
}

impl Hashes {
    /// Adds an event, and returns its address.
    fn sketch(&mut self, event: &Event, sketch: &mut Sketch, names: &mut Names) -> Option<[u8; 16]> {
        let (facts, mut from) = (&event.facts, None);
        sketch.events += 1;
        if let Some(user) = facts.actor.username.as_ref().or(facts.actor.sub.as_ref()) {
            let hash = known(&mut self.users, user, || ValueHash::of(&searchable(user)));
            sketch.users.insert(hash);
            names.users.insert(short(user).as_bytes(), 1);
        }
        if let Some(text) = facts.client.as_ref().and_then(|client| client.ip.as_deref()) {
            let address = known(&mut self.addresses, text, || {
                let bytes = address_bytes(text.parse().ok()?);
                Some((bytes, ValueHash::of(&address_of_bytes(bytes).to_string())))
            });
            if let Some((bytes, hash)) = address {
                sketch.addresses.insert(hash);
                names.addresses.insert(&bytes, 1);
                from = Some(bytes);
            }
        }
        if let Some(micros) = facts.http.as_ref().and_then(|http| http.duration_us) {
            sketch.durations.insert(micros, 1);
        }
        from
    }
}

/// What is remembered of a text, or else what is made of it.
fn known<V: Copy>(values: &mut HashMap<Box<str>, V, RandomState>, text: &str, make: impl FnOnce() -> V) -> V {
    if let Some(value) = values.get(text) {
        return *value;
    }
    if values.len() >= REMEMBERED_MAX {
        values.clear();
    }
    let value = make();
    values.insert(text.into(), value);
    value
}

impl Default for Names {
    fn default() -> Self {
        Self {
            users: Frequent::kept(),
            addresses: Frequent::kept(),
        }
    }
}

/// When the stretch begins that holds a moment; what was before 1970 is in the first one of 1970.
pub(super) const fn start(micros: i64, width: i64) -> i64 {
    let width = width * SECOND;
    micros / width * width
}
