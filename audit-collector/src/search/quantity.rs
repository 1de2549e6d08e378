//! Numbers, moments and lengths of time as people write them. Pure.

use std::time::Duration;

use shared::clock::UtcMicros;

pub(super) const DAY: Duration = Duration::from_hours(24);

/// The first and the last status of a status or a class of them.
pub(super) fn status(text: &str) -> Option<(i64, i64)> {
    let (first, last) = match text.strip_suffix("xx") {
        Some(hundreds) => {
            let hundreds = digits(hundreds)?.checked_mul(100)?;
            (hundreds, hundreds.checked_add(99)?)
        }
        None => (digits(text)?, digits(text)?),
    };
    (first >= 100 && last < 1000).then_some((first, last))
}

/// The first and the last microsecond of a moment or a day.
pub(super) fn moment(text: &str) -> Option<(i64, i64)> {
    if let Ok(moment) = text.parse::<UtcMicros>() {
        return Some((moment.as_micros(), moment.as_micros()));
    }
    let is_day = text.len() == "2026-01-31".len();
    let day: UtcMicros = is_day.then(|| format!("{text}T00:00:00Z"))?.parse().ok()?;
    let end = day.plus(DAY).as_micros().saturating_sub(1);
    Some((day.as_micros(), end))
}

/// Units of time with their lengths in microseconds, the longer names first.
pub(super) type Units = &'static [(&'static str, u64)];

/// Units of how long a request takes.
pub(super) const LENGTHS: Units = &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000)];

/// Units of how long ago something is.
pub(super) const SPANS: Units = &[
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

/// A length of time that is longer than nothing.
pub(super) fn duration(text: &str, units: Units) -> Option<Duration> {
    let (number, micros) = units
        .iter()
        .find_map(|(unit, micros)| Some((digits(text.strip_suffix(unit)?)?, micros)))?;
    let micros = u64::try_from(number).ok()?.checked_mul(*micros)?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// A length of time such as `30s`, `5m` or `1d`, in seconds.
pub(crate) fn whole_seconds(text: &str) -> Option<i64> {
    i64::try_from(duration(text, SPANS)?.as_secs()).ok()
}

/// A number of decimal digits and nothing else.
pub(super) fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
