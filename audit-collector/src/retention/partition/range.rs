//! Which ranges of ids there are to be. Pure.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::event::Class;

use crate::retention::rule::Keeping;

/// Ranges that are made in one go at most: after a long rest, the others are made the next time.
const AHEAD_MAX: usize = 64;

/// Events whose ids are of that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::retention) struct Range {
    /// Their table.
    pub(in crate::retention) name: String,
    pub(in crate::retention) class: Class,
    /// The first moment.
    pub(super) first: UtcMicros,
    /// The first moment after.
    pub(in crate::retention) until: UtcMicros,
}

impl Range {
    fn new(class: Class, first: UtcMicros, days: u32) -> Self {
        let day = first.to_string().get(..10).unwrap_or_default().replace('-', "");
        Self {
            name: format!("event_{class}_{day}"),
            class,
            first,
            until: first.plus(length(days)),
        }
    }

    /// The ranges to be made behind the last one, so that there is always one that is not begun when the last but one ends.
    pub(super) fn ahead(keeping: Keeping, last_until: UtcMicros, now: UtcMicros) -> Vec<Self> {
        let days = keeping.range_days();
        let needed = now.plus(length(days) * 2);
        let mut ranges = Vec::new();
        let mut first = last_until;
        while first < needed && ranges.len() < AHEAD_MAX {
            let range = Self::new(keeping.class, first, days);
            first = range.until;
            ranges.push(range);
        }
        ranges
    }
}

fn length(days: u32) -> Duration {
    Duration::from_hours(24) * days
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);
    const WEEKLY: Keeping = Keeping {
        class: Class::Access,
        days: 90,
    };

    #[test]
    fn ranges_are_made_for_two_lengths_ahead_without_holes() {
        let ranges = Range::ahead(WEEKLY, NOW, NOW);

        let names: Vec<_> = ranges.iter().map(|range| range.name.as_str()).collect();
        assert_eq!(names, ["event_access_20260115", "event_access_20260122"]);
        assert_eq!(ranges[0].until, ranges[1].first);
        assert_eq!(Range::ahead(WEEKLY, ranges[1].until, NOW), []);
        assert_eq!(
            Range::ahead(WEEKLY, ranges[1].until, NOW.plus(length(1))).len(),
            1
        );
    }

    #[test]
    fn a_long_rest_is_made_up_for_in_steps() {
        let long_ago = NOW.minus(length(7_000));

        let first = Range::ahead(WEEKLY, long_ago, NOW);

        assert_eq!(first.len(), AHEAD_MAX);
        assert_eq!(first[0].first, long_ago);
    }
}
