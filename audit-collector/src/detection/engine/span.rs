//! How long an event matters to a rule, in microseconds of the log's time. Pure.

use super::LATENESS;
use crate::detection::rule::{Measure, Pattern, Window};

/// Windows whose events are only told apart by their values keep one event of each value for each so many parts of it.
pub(super) const PARTS: u32 = 64;

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
