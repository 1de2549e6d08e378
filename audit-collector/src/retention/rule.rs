//! For how long each class is kept. Pure.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::event::{Class, event_id};
use uuid::Uuid;

/// The seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Into how many ranges the time that a class is kept is divided: what is dropped as a whole is kept for a twelfth longer at most, and a
/// search has few ranges to look into.
const RANGES: u32 = 12;

/// For how long the events of a class are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// The class.
    pub class: Class,
    /// Days.
    pub days: u32,
}

impl Keeping {
    /// Days that a class may be kept.
    pub(super) const DAYS: std::ops::RangeInclusive<u32> = 1..=36_500;

    /// What was recorded before this moment has been kept for long enough.
    pub(super) fn cutoff(self, now: UtcMicros) -> Cutoff {
        let kept = Duration::from_secs(u64::from(self.days) * DAY_SECONDS);
        Cutoff(now.minus(kept))
    }

    /// Days of a range of ids.
    pub(super) fn range_days(self) -> u32 {
        (self.days / RANGES).max(1)
    }
}

/// The moment before which events have been kept for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cutoff(pub(super) UtcMicros);

impl Cutoff {
    /// Batches with ids below were recorded before: their ids begin with that moment, to the millisecond.
    pub(super) fn batch(self) -> Uuid {
        first_id(self.0)
    }
}

/// The least id of a moment: what every UUIDv7 of that millisecond or a later one is not below.
pub(super) fn first_id(moment: UtcMicros) -> Uuid {
    let id = event_id(moment).as_u128();
    // The 48 bits of the moment alone.
    Uuid::from_u128(id & !(u128::MAX >> 48))
}

/// For how long every class is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods(Vec<Keeping>);

impl Default for Periods {
    /// Access events, and what services say of themselves, for 90 days; sign-ins and changes for 400; alerts for three years.
    fn default() -> Self {
        Self(Class::ALL.map(Self::default_of).into())
    }
}

impl Periods {
    /// So many days of each class.
    pub fn new(keeping: impl IntoIterator<Item = Keeping>) -> Self {
        Self(keeping.into_iter().collect())
    }

    /// What is kept for how long, unless it is set otherwise.
    pub(super) const fn default_of(class: Class) -> Keeping {
        let days = match class {
            Class::Access | Class::System => 90,
            Class::Auth | Class::Admin => 400,
            Class::Alert => 1_095,
        };
        Keeping { class, days }
    }

    /// Every class with its days.
    pub fn iter(&self) -> impl Iterator<Item = Keeping> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_moment_is_not_below_its_first() {
        let moment = UtcMicros::from_micros(1_768_435_200_123_456);
        let before = UtcMicros::from_micros(1_768_435_200_122_999);

        assert!(event_id(moment) >= first_id(moment));
        assert!(event_id(before) < first_id(moment));
    }

    #[test]
    fn a_range_is_a_twelfth_and_at_least_a_day() {
        let days = |days| {
            Keeping {
                class: Class::Access,
                days,
            }
            .range_days()
        };

        assert_eq!(
            [days(90), days(400), days(1_095), days(7), days(1)],
            [7, 33, 91, 1, 1]
        );
    }
}
