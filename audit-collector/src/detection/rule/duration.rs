//! Durations as rules write them: a whole number with `s`, `m`, `h` or `d`, as in Sigma. Pure.

use std::time::Duration;

/// Not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration such as 30s, 5m, 1h or 7d")]
pub(super) struct InvalidDuration(String);

/// Reads a duration.
pub(super) fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let wrong = || InvalidDuration(text.to_owned());
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    count
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        assert_eq!(parse("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse("7d"), Ok(Duration::from_hours(168)));
        for wrong in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "1.5h",
            "5ä",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
