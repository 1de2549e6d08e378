//! What is kept of an event for a rule: little, since there may be many. Pure.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::num::NonZeroU64;

use uuid::Uuid;

use crate::detection::field::{Field, Seen};
use crate::detection::rule::Pattern;

/// Happenings that one event may tell of. Whoever could write a larger number could drown a rule.
const COUNT_MAX: f64 = 1_000_000.0;

/// An event as a rule counts it: small, since millions may be kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// The moment that counts, in microseconds.
    pub(super) at: i64,
    /// The event.
    pub(super) id: Uuid,
    counted: Counted,
    hit: Hit,
}

/// What a rule counts of an event. How many happenings it tells of, and which of the rule's conditions it meets (a bit for each), are
/// in both kinds: outside of them they would make each event eight bytes larger.
#[derive(Clone, Debug, PartialEq)]
enum Counted {
    /// The hash of the one value that is counted, or 0: with most rules that is all, so that nothing else is fetched for it.
    Value {
        count: u32,
        marks: u8,
        value: u64,
    },
    More {
        count: u32,
        marks: u8,
        more: Box<More>,
    },
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

/// The value of a rule's first measure, or none, in the eight bytes of which an `Option<f64>` takes sixteen: inverted, since all bits
/// are set in no number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Hit(Option<NonZeroU64>);

impl Hit {
    fn of(value: Option<f64>) -> Self {
        Self(value.and_then(|value| NonZeroU64::new(!value.to_bits())))
    }

    fn value(self) -> Option<f64> {
        self.0.map(|inverted| f64::from_bits(!inverted.get()))
    }
}

impl Counted {
    const fn marked(count: u32, marks: u8) -> Self {
        let value = 0;
        Self::Value { count, marks, value }
    }

    fn of(count: u32, marks: u8, more: More) -> Self {
        match more.values.as_slice() {
            [] if more.is_of_values() => Self::marked(count, marks),
            &[value] if more.is_of_values() => Self::Value { count, marks, value },
            _ => Self::More {
                count,
                marks,
                more: Box::new(more),
            },
        }
    }
}

impl More {
    /// Whether nothing but values is counted.
    const fn is_of_values(&self) -> bool {
        self.sum == 0 && self.coordinates.is_none()
    }
}

impl Item {
    /// What a rule keeps of an event, if it counts at all.
    pub(super) fn of(pattern: &Pattern, seen: &Seen<'_>) -> Option<Self> {
        let counted = match pattern {
            Pattern::Window(window) if window.filter.matches(seen) => Counted::of(
                weight(window.weight.as_ref(), seen),
                marks(window.marks.iter().map(|mark| mark.matches(seen))),
                More {
                    values: window.values.iter().map(|field| hash(field, seen)).collect(),
                    sum: window.sum.as_ref().map_or(0, |field| amount(field, seen)),
                    coordinates: None,
                },
            ),
            Pattern::Ordered(ordered) => Counted::marked(
                weight(ordered.weight.as_ref(), seen),
                some(marks(ordered.steps.iter().map(|(step, _)| step.matches(seen))))?,
            ),
            Pattern::Missing(missing) => {
                let parts = [&missing.subject, &missing.partner].map(|part| part.matches(seen));
                Counted::marked(1, some(marks(parts.into_iter()))?)
            }
            Pattern::Travel(travel) if travel.filter.matches(seen) => {
                let coordinates = Some(seen.place?.coordinates?);
                Counted::of(
                    1,
                    0,
                    More {
                        coordinates,
                        ..More::default()
                    },
                )
            }
            Pattern::Window(_) | Pattern::Travel(_) | Pattern::Habit(_) => return None,
        };
        Some(Self {
            at: seen.at.as_micros(),
            id: seen.event.id,
            counted,
            hit: Hit::default(),
        })
    }

    /// How many happenings it tells of.
    pub(super) const fn count(&self) -> u32 {
        match self.counted {
            Counted::Value { count, .. } | Counted::More { count, .. } => count,
        }
    }

    /// Which of the rule's conditions it meets, a bit for each.
    pub(super) const fn marks(&self) -> u8 {
        match self.counted {
            Counted::Value { marks, .. } | Counted::More { marks, .. } => marks,
        }
    }

    /// The value of the rule's first measure, if the rule fires with this event.
    pub(super) fn hit(&self) -> Option<f64> {
        self.hit.value()
    }

    /// Takes it that the rule fires with this event, by a measure of this value, or does not.
    pub(super) fn set_hit(&mut self, value: Option<f64>) {
        self.hit = Hit::of(value);
    }

    /// Hashes of the values that are counted; 0 for a value that is absent.
    pub(super) fn values(&self) -> &[u64] {
        match &self.counted {
            Counted::Value { value, .. } => std::slice::from_ref(value),
            Counted::More { more, .. } => &more.values,
        }
    }

    /// What is added up.
    pub(super) fn sum(&self) -> u64 {
        match &self.counted {
            Counted::Value { .. } => 0,
            Counted::More { more, .. } => more.sum,
        }
    }

    /// Degrees north and east.
    pub(super) fn coordinates(&self) -> Option<(f64, f64)> {
        match &self.counted {
            Counted::Value { .. } => None,
            Counted::More { more, .. } => more.coordinates,
        }
    }

    /// Whether it is what must not be alone.
    pub(super) const fn is_subject(&self) -> bool {
        self.marks() & 1 != 0
    }

    /// Whether it is what must go with a subject.
    pub(super) const fn is_partner(&self) -> bool {
        self.marks() & 2 != 0
    }

    /// Where it stands among the others.
    pub(super) const fn key(&self) -> (i64, Uuid) {
        (self.at, self.id)
    }
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

/// An event that meets none of a rule's conditions does not matter to it.
fn some(marks: u8) -> Option<u8> {
    (marks != 0).then_some(marks)
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
    fn an_event_takes_48_bytes_and_the_box_of_what_few_rules_measure() {
        assert_eq!(size_of::<Item>(), 48);
        let counted = |values: &[u64], sum| {
            let more = More {
                values: values.to_vec(),
                sum,
                ..More::default()
            };
            Counted::of(1, 0, more)
        };
        assert!(matches!(counted(&[7], 0), Counted::Value { value: 7, .. }));
        assert!(matches!(counted(&[7], 1), Counted::More { .. }));
        assert!(matches!(counted(&[7, 8], 0), Counted::More { .. }));
    }

    #[test]
    fn a_measure_comes_back_as_it_was_and_nothing_is_not_nought() {
        for value in [
            None,
            Some(0.0),
            Some(-0.0),
            Some(0.3),
            Some(1e15),
            Some(f64::INFINITY),
        ] {
            assert_eq!(Hit::of(value).value().map(f64::to_bits), value.map(f64::to_bits));
        }
    }
}
