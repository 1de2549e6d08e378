//! What is kept of an event for a rule: little, since there may be many. Pure.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use uuid::Uuid;

use super::LATENESS;
use crate::detection::field::{Field, Seen};
use crate::detection::rule::{Measure, Pattern, Window};

/// Happenings that one event may tell of. Whoever could write a larger number could drown a rule.
const COUNT_MAX: f64 = 1_000_000.0;

/// Windows whose events are only told apart by their values keep one event of each value for each so many parts of it.
pub(super) const PARTS: u32 = 64;

/// An event as a rule counts it: small, since millions may be kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// The moment that counts, in microseconds.
    pub(super) at: i64,
    /// The event.
    pub(super) id: Uuid,
    /// How many happenings it tells of.
    pub(super) count: u32,
    /// Which of the rule's conditions it meets, a bit for each.
    pub(super) marks: u8,
    measured: Measured,
    /// The value of the rule's first measure, if the rule fires with this event.
    pub(super) hit: Option<f64>,
}

/// What a rule measures of an event beside its count.
#[derive(Clone, Debug, PartialEq)]
enum Measured {
    /// The hash of the one value that is counted, or 0: with most rules that is all, so that nothing else is fetched for it.
    Value(u64),
    More(Box<More>),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct More {
    /// Hashes of the values that are counted; 0 for a value that is absent.
    values: Vec<u64>,
    /// What is added up.
    sum: u64,
    /// Degrees north and east.
    coordinates: Option<(f64, f64)>,
}

impl Measured {
    fn of(values: Vec<u64>, sum: u64) -> Self {
        match values.as_slice() {
            [] if sum == 0 => Self::Value(0),
            [value] if sum == 0 => Self::Value(*value),
            _ => Self::More(Box::new(More {
                values,
                sum,
                ..More::default()
            })),
        }
    }
}

impl Item {
    /// What a rule keeps of an event, if it counts at all.
    pub(super) fn of(pattern: &Pattern, seen: &Seen<'_>) -> Option<Self> {
        let mut item = Self {
            at: seen.at.as_micros(),
            id: seen.event.id,
            count: 1,
            marks: 0,
            measured: Measured::Value(0),
            hit: None,
        };
        match pattern {
            Pattern::Window(window) if window.filter.matches(seen) => {
                item.count = weight(window.weight.as_ref(), seen);
                item.marks = marks(window.marks.iter().map(|mark| mark.matches(seen)));
                let sum = window.sum.as_ref().map_or(0, |field| amount(field, seen));
                let values = window.values.iter().map(|field| hash(field, seen));
                item.measured = Measured::of(values.collect(), sum);
            }
            Pattern::Ordered(ordered) => {
                item.count = weight(ordered.weight.as_ref(), seen);
                item.marks = marks(ordered.steps.iter().map(|(step, _)| step.matches(seen)));
                if item.marks == 0 {
                    return None;
                }
            }
            Pattern::Missing(missing) => {
                item.marks = marks(
                    [&missing.subject, &missing.partner]
                        .map(|part| part.matches(seen))
                        .into_iter(),
                );
                if item.marks == 0 {
                    return None;
                }
            }
            Pattern::Travel(travel) if travel.filter.matches(seen) => {
                item.measured = Measured::More(Box::new(More {
                    coordinates: Some(seen.place?.coordinates?),
                    ..More::default()
                }));
            }
            Pattern::Window(_) | Pattern::Travel(_) | Pattern::Habit(_) => return None,
        }
        Some(item)
    }

    /// Hashes of the values that are counted; 0 for a value that is absent.
    pub(super) fn values(&self) -> &[u64] {
        match &self.measured {
            Measured::Value(value) => std::slice::from_ref(value),
            Measured::More(more) => &more.values,
        }
    }

    /// What is added up.
    pub(super) fn sum(&self) -> u64 {
        match &self.measured {
            Measured::Value(_) => 0,
            Measured::More(more) => more.sum,
        }
    }

    /// Degrees north and east.
    pub(super) fn coordinates(&self) -> Option<(f64, f64)> {
        match &self.measured {
            Measured::Value(_) => None,
            Measured::More(more) => more.coordinates,
        }
    }

    /// Whether it is what must not be alone.
    pub(super) const fn is_subject(&self) -> bool {
        self.marks & 1 != 0
    }

    /// Whether it is what must go with a subject.
    pub(super) const fn is_partner(&self) -> bool {
        self.marks & 2 != 0
    }

    /// Where it stands among the others.
    pub(super) const fn key(&self) -> (i64, Uuid) {
        (self.at, self.id)
    }
}

/// In microseconds, the parts of a window of each of which one event of each value is enough. `None` if every event counts.
pub(super) fn part(pattern: &Pattern) -> Option<i64> {
    let timespan = match pattern {
        Pattern::Window(window) if counts_only_values(window) => window.timespan,
        Pattern::Missing(missing) => missing.timespan,
        _ => return None,
    };
    Some((micros(timespan) / i64::from(PARTS)).max(1))
}

fn counts_only_values(window: &Window) -> bool {
    let is_of_values = |measure: Measure| matches!(measure, Measure::Values(_));
    !window.bounds.is_empty() && window.bounds.iter().all(|bound| is_of_values(bound.measure))
}

/// Where the window begins that ends with an event at `at`: with a whole part, where parts matter, since the events of a
/// part are in it or not together.
pub(super) fn window_start(pattern: &Pattern, at: i64) -> i64 {
    let start = at.saturating_sub(micros(pattern.timespan()));
    part(pattern).map_or(start, |part| start.saturating_sub(start.rem_euclid(part)))
}

/// The first moment that is judged as events come; what is before it is judged by reading the log again. An event that may
/// still come can be what one was waited for that long before.
pub(super) fn open_from(pattern: &Pattern, watermark: i64) -> i64 {
    watermark
        .saturating_sub(micros(LATENESS))
        .saturating_sub(waits(pattern))
}

/// How long after an event another can still decide about it, in microseconds.
pub(super) fn waits(pattern: &Pattern) -> i64 {
    match pattern {
        Pattern::Missing(missing) => micros(missing.wait),
        _ => 0,
    }
}

/// A duration in microseconds.
pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn weight(field: Option<&Field>, seen: &Seen<'_>) -> u32 {
    let count = field.map_or(1, |field| amount(field, seen));
    // Far below what it can hold, see `COUNT_MAX`.
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// A number of an event, from 0 on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped to what both can hold"
)]
pub(super) fn amount(field: &Field, seen: &Seen<'_>) -> u64 {
    let is_count = matches!(field, Field::Detail(_));
    let most = if is_count { COUNT_MAX } else { 1e15 };
    field
        .number(seen)
        .map_or(0, |number| number.clamp(0.0, most) as u64)
}

fn marks(holds: impl Iterator<Item = bool>) -> u8 {
    holds
        .enumerate()
        .fold(0, |marks, (bit, holds)| marks | (u8::from(holds) << bit))
}

/// Two values with one hash are taken for one; with 64 bits that does not happen to a window by chance.
fn hash(field: &Field, seen: &Seen<'_>) -> u64 {
    field.value(seen).map_or(0, |value| {
        let mut hasher = DefaultHasher::new();
        value.into_text().hash(&mut hasher);
        hasher.finish().max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_64_bytes_and_the_box_of_what_few_rules_measure() {
        assert_eq!(size_of::<Item>(), 64);
        let measured = |values: &[u64], sum| Measured::of(values.to_vec(), sum);
        assert!(matches!(measured(&[7], 0), Measured::Value(7)));
        assert!(matches!(measured(&[7], 1), Measured::More(_)));
        assert!(matches!(measured(&[7, 8], 0), Measured::More(_)));
    }
}
