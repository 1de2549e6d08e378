//! What the events of a sliding window add up to. Pure.

use std::collections::HashMap;

use super::item::Item;
use crate::detection::rule::{Bound, Measure, Window};

/// The sums of a window, kept up to date while it slides.
#[derive(Debug)]
pub(super) struct Tally<'w> {
    window: &'w Window,
    count: u64,
    sum: u64,
    marked: Vec<u64>,
    values: Vec<HashMap<u64, u64>>,
}

impl<'w> Tally<'w> {
    /// Of no events.
    pub(super) fn new(window: &'w Window) -> Self {
        Self {
            window,
            count: 0,
            sum: 0,
            marked: vec![0; window.marks.len()],
            values: vec![HashMap::new(); window.values.len()],
        }
    }

    /// The same, for those bounds alone that values do not matter to.
    pub(super) fn without_values(window: &'w Window) -> Self {
        Self {
            values: Vec::new(),
            ..Self::new(window)
        }
    }

    /// Whether there are bounds that values do not matter to, beside others.
    pub(super) fn has_cheap_bounds(window: &Window) -> bool {
        let is_cheap = |bound: &Bound| bound.measure.is_cheap();
        window.bounds.iter().any(is_cheap) && !window.bounds.iter().all(is_cheap)
    }

    /// Whether every bound holds that values do not matter to.
    pub(super) fn cheap_bounds_hold(&self) -> bool {
        let mut cheap = self.window.bounds.iter().filter(|bound| bound.measure.is_cheap());
        cheap.all(|bound| self.holds(bound))
    }

    /// With one event more.
    pub(super) fn add(&mut self, item: &Item) {
        let count = u64::from(item.count());
        self.count += count;
        self.sum += item.sum();
        for (bit, marked) in self.marked.iter_mut().enumerate() {
            *marked += count * u64::from(item.marks() >> bit & 1);
        }
        for (counts, value) in self.values.iter_mut().zip(item.values()) {
            if *value != 0 {
                *counts.entry(*value).or_default() += count;
            }
        }
    }

    /// With one event less.
    pub(super) fn remove(&mut self, item: &Item) {
        let gone = u64::from(item.count());
        self.count -= gone;
        self.sum -= item.sum();
        for (bit, marked) in self.marked.iter_mut().enumerate() {
            *marked -= gone * u64::from(item.marks() >> bit & 1);
        }
        for (counts, value) in self.values.iter_mut().zip(item.values()) {
            if let Some(count) = counts.get_mut(value) {
                *count -= gone;
                if *count == 0 {
                    counts.remove(value);
                }
            }
        }
    }

    /// The first measure, if every bound holds. A rule without bounds fires with each event.
    pub(super) fn hit(&self) -> Option<f64> {
        let first = self.window.bounds.first();
        let value = first.map_or_else(|| to_float(self.count), |bound| self.measure(bound.measure));
        let is_hit = self.window.bounds.iter().all(|bound| self.holds(bound));
        is_hit.then_some(value)
    }

    fn holds(&self, bound: &Bound) -> bool {
        (bound.least..=bound.most).contains(&self.measure(bound.measure))
    }

    fn measure(&self, measure: Measure) -> f64 {
        let counts = |place: usize| self.values.get(place);
        match measure {
            Measure::Events => to_float(self.count),
            Measure::Sum => to_float(self.sum),
            Measure::Values(place) => to_float(counts(place).map_or(0, |counts| counts.len() as u64)),
            Measure::MostOfOneValue(place) => to_float(
                counts(place)
                    .and_then(|counts| counts.values().max().copied())
                    .unwrap_or(0),
            ),
            Measure::Share(place) => {
                to_float(self.marked.get(place).copied().unwrap_or(0)) / to_float(self.count.max(1))
            }
        }
    }
}

impl Measure {
    /// Whether it is known without the values of the events.
    const fn is_cheap(self) -> bool {
        match self {
            Self::Events | Self::Sum | Self::Share(_) => true,
            Self::Values(_) | Self::MostOfOneValue(_) => false,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a bound near 2^53, up to which a float is exact, is no bound that anybody sets"
)]
pub(super) const fn to_float(number: u64) -> f64 {
    number as f64
}
