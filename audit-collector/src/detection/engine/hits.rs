//! With which events a rule fires, of the events of one group in order. Pure: the same events, the same answer.

use std::collections::VecDeque;
use std::ops::Range;

use super::item::Item;
use super::span::{micros, window_start};
use super::tally::{Tally, to_float};
use crate::detection::rule::{Missing, Ordered, Pattern, Travel, Window};

/// Events of an alert that are named at most.
pub(super) const EVIDENCE_MAX: usize = 100;

/// The mean radius of the Earth in kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6_371.0;

/// Two places within this time, in microseconds, count as so far apart in time: clocks of doors differ.
const BETWEEN_MIN: i64 = 60_000_000;

/// Decides anew which of `range` the rule fires with.
pub(super) fn mark(pattern: &Pattern, items: &mut VecDeque<Item>, range: Range<usize>) {
    let hits: Vec<Option<f64>> = match pattern {
        Pattern::Window(window) => of_window(pattern, window, items, range.clone()),
        Pattern::Ordered(ordered) => range
            .clone()
            .map(|index| of_order(ordered, items, index))
            .collect(),
        Pattern::Missing(missing) => range
            .clone()
            .map(|index| of_missing(pattern, missing, items, index))
            .collect(),
        Pattern::Travel(travel) => range
            .clone()
            .map(|index| of_travel(travel, items, index))
            .collect(),
        Pattern::Habit(_) => Vec::new(),
    };
    for (item, hit) in items.range_mut(range).zip(hits) {
        item.set_hit(hit);
    }
}

/// The first place whose event is not before `at`. Most often that is the beginning or the end, where nothing is to be searched.
pub(super) fn first_from(items: &VecDeque<Item>, at: i64) -> usize {
    match (items.front(), items.back()) {
        (Some(first), _) if first.at >= at => 0,
        (_, Some(last)) if last.at < at => items.len(),
        _ => items.partition_point(|item| item.at < at),
    }
}

fn of_window(
    pattern: &Pattern,
    window: &Window,
    items: &VecDeque<Item>,
    range: Range<usize>,
) -> Vec<Option<f64>> {
    // What needs no values is looked at first: a share or a sum costs little, seldom holds, and nothing fires without it.
    if Tally::has_cheap_bounds(window) {
        let tally = Tally::without_values(window);
        let may_fire = slide(pattern, (items, range.clone()), tally, Tally::cheap_bounds_hold);
        if !may_fire.contains(&true) {
            return vec![None; range.len()];
        }
    }
    slide(pattern, (items, range), Tally::new(window), Tally::hit)
}

/// What `judge` says of the window that ends with each event of the range.
fn slide<'w, T>(
    pattern: &Pattern,
    (items, range): (&VecDeque<Item>, Range<usize>),
    mut tally: Tally<'w>,
    judge: impl Fn(&Tally<'w>) -> T,
) -> Vec<T> {
    let Some(first) = items.get(range.start) else {
        return Vec::new();
    };
    let is_single = pattern.timespan().is_zero();
    let mut oldest = first_from(items, window_start(pattern, first.at));
    if is_single {
        oldest = range.start;
    }
    for item in items.range(oldest..range.start) {
        tally.add(item);
    }
    let mut judged = Vec::with_capacity(range.len());
    for (index, item) in items.range(range.clone()).enumerate() {
        tally.add(item);
        // A window without length holds one event alone.
        let is_gone = |other: &Item, place: usize| {
            other.at < window_start(pattern, item.at) || (is_single && place < range.start + index)
        };
        while let Some(other) = items.get(oldest).filter(|other| is_gone(other, oldest)) {
            tally.remove(other);
            oldest += 1;
        }
        judged.push(judge(&tally));
    }
    judged
}

/// The last step with the steps before it, each completed before the next begins. The value is how often the first happened.
fn of_order(ordered: &Ordered, items: &VecDeque<Item>, index: usize) -> Option<f64> {
    let last = items.get(index)?;
    let (_, before) = ordered.steps.split_last()?;
    if last.marks() >> before.len() & 1 == 0 {
        return None;
    }
    let oldest = first_from(items, last.at.saturating_sub(micros(ordered.timespan)));
    let mut end = index;
    let mut counted = 0;
    for (step, (_, wanted)) in before.iter().enumerate().rev() {
        counted = 0;
        // The first step takes all there is, so that the value says how many that were.
        while end > oldest && (counted < *wanted || step == 0) {
            end -= 1;
            let item = items.get(end)?;
            if item.marks() >> step & 1 == 1 {
                counted += u64::from(item.count());
            }
        }
        if counted < *wanted {
            return None;
        }
    }
    Some(to_float(counted))
}

fn of_missing(pattern: &Pattern, missing: &Missing, items: &VecDeque<Item>, index: usize) -> Option<f64> {
    let subject = items.get(index)?;
    if !subject.is_subject() {
        return None;
    }
    let from = first_from(items, window_start(pattern, subject.at));
    let until = first_from(
        items,
        subject.at.saturating_add(micros(missing.wait)).saturating_add(1),
    );
    let has_partner = items.range(from..until).any(Item::is_partner);
    (!has_partner).then_some(1.0)
}

/// The speed that it takes from the place before to this one.
fn of_travel(travel: &Travel, items: &VecDeque<Item>, index: usize) -> Option<f64> {
    let here = items.get(index)?;
    let before = items.get(index.checked_sub(1)?)?;
    let between = here.at - before.at;
    if between > micros(travel.timespan) {
        return None;
    }
    let distance = distance_km(before.coordinates()?, here.coordinates()?);
    let hours = to_float(between.max(BETWEEN_MIN).unsigned_abs()) / 3.6e9;
    let speed = distance / hours;
    (distance >= travel.distance_km && speed >= travel.speed_kmh).then(|| speed.round())
}

/// The way along a great circle, by the haversine formula.
fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (north_from, north_to) = (from.0.to_radians(), to.0.to_radians());
    let (north, east) = ((north_to - north_from) / 2.0, (to.1 - from.1).to_radians() / 2.0);
    let chord = north.sin().powi(2) + north_from.cos() * north_to.cos() * east.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * chord.sqrt().min(1.0).asin()
}

/// The events that make the rule fire with the one at `index`, the last of them if they are many.
pub(super) fn evidence(pattern: &Pattern, items: &VecDeque<Item>, index: usize) -> Range<usize> {
    let at = items.get(index).map_or(0, |item| item.at);
    let from = match pattern {
        Pattern::Window(window) if window.timespan.is_zero() => index,
        Pattern::Window(_) | Pattern::Ordered(_) => first_from(items, window_start(pattern, at)),
        Pattern::Travel(_) => index.saturating_sub(1),
        Pattern::Missing(_) | Pattern::Habit(_) => index,
    };
    from.max((index + 1).saturating_sub(EVIDENCE_MAX))..index + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_berlin_to_new_york_is_as_the_atlas_says() {
        let distance = distance_km((52.52, 13.40), (40.71, -74.01));

        assert!((6_370.0..6_400.0).contains(&distance), "{distance}");
    }
}
