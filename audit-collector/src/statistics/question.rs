//! A question about many events: one statement, and what its rows add up to. Pure.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::Serialize;
use shared::clock::UtcMicros;

use super::store::Row;
use crate::search::{Dialect, Filter, InvalidParameter, Parameters, Period, Statement};

/// A question that one statement answers, so that all of its numbers are of one moment.
pub trait Question: Sized + Sync {
    /// What the statement gives.
    type Row: Row;
    /// What the rows add up to.
    type Answer: Serialize + Send;

    /// Reads the parameters of a request; `now` is where a period without an end ends.
    fn read(parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter>;

    /// The statement.
    fn statement(&self, dialect: Dialect) -> Statement;

    /// What its rows say.
    fn answer(&self, rows: Vec<Self::Row>) -> Self::Answer;

    /// How many events an answer tells of.
    fn events(answer: &Self::Answer) -> i64;
}

/// A period that is divided, when no beginning is given.
const PERIOD_DEFAULT: Duration = Duration::from_hours(24);

/// Stretches of a period at most.
const BUCKETS_MAX: i64 = 1_000;

/// Stretches of a period that are aimed at when no width is given.
const BUCKETS_AUTO: i64 = 120;

/// Widths that are chosen by themselves, in seconds: such as people read from a clock or a calendar.
const WIDTHS: [i64; 15] = [
    1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000,
];

/// The farthest that a clock is from UTC, in minutes.
const OFFSET_MINUTES_MAX: i64 = 14 * 60;

const SECOND: i64 = 1_000_000;

/// A period in stretches of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Where the first stretch begins, in microseconds: at or before the period.
    origin: i64,
    /// How wide each is, in microseconds.
    width: i64,
    count: usize,
}

impl Buckets {
    /// Divides the period of the filter that the parameters stand for, or the last 24 hours, as `bucket` and `offset` say.
    pub(super) fn read(
        mut parameters: Parameters,
        now: UtcMicros,
    ) -> Result<(Self, Filter), InvalidParameter> {
        let width = match parameters.take("bucket").as_deref() {
            None | Some("auto") => None,
            Some(text) => Some(width(text)?),
        };
        let offset = offset(&mut parameters)?;
        let given = parameters.given().any(|(name, _)| name == "from");
        let (filter, period) = bounded(&parameters.filter(now)?, now);
        if period.1 <= period.0 {
            let [from, to] = [period.0, period.1].map(UtcMicros::from_micros);
            let problem = format!("the period begins at {from} and ends at {to}; without an end it ends now");
            return Err(InvalidParameter::new(if given { "from" } else { "q" }, problem));
        }
        Ok((Self::divide(period, width, offset)?, filter))
    }

    /// Divides a period as people read it from a clock.
    pub(crate) fn of((from, to): (UtcMicros, UtcMicros)) -> Result<Self, InvalidParameter> {
        Self::divide((from.as_micros(), to.as_micros()), None, 0)
    }

    /// The number of the stretch in which `at` is, if it is in any.
    pub(crate) fn index(&self, at: UtcMicros) -> Option<usize> {
        let index = at.as_micros().checked_sub(self.origin)?.div_euclid(self.width);
        usize::try_from(index).ok().filter(|index| *index < self.count)
    }

    fn divide((from, to): (i64, i64), width: Option<i64>, offset: i64) -> Result<Self, InvalidParameter> {
        let length = to.saturating_sub(from);
        let chosen = || {
            let enough = |width: &i64| length / (width * SECOND) < BUCKETS_AUTO;
            WIDTHS
                .into_iter()
                .find(enough)
                .unwrap_or(length / SECOND / BUCKETS_AUTO)
        };
        let width = width.unwrap_or_else(chosen).saturating_mul(SECOND).max(SECOND);
        // Days begin at the reader's midnight.
        let origin = from - (from.saturating_add(offset)).rem_euclid(width);
        let count = (to.saturating_sub(origin)).div_euclid(width) + i64::from((to - origin) % width != 0);
        match usize::try_from(count) {
            Ok(count) if (1..=BUCKETS_MAX).contains(&i64::try_from(count).unwrap_or(i64::MAX)) => {
                Ok(Self { origin, width, count })
            }
            _ => {
                let least = length / SECOND / BUCKETS_MAX + 1;
                let problem =
                    format!("more than {BUCKETS_MAX} stretches; this period needs {least}s or more");
                Err(InvalidParameter::new("bucket", problem))
            }
        }
    }

    /// The number of the stretch in which `e.time` is.
    pub(super) fn sql(&self) -> String {
        // Numbers of our own making.
        format!("((e.time - ({})) / {})", self.origin, self.width)
    }

    /// Where the first begins and how wide each is, in microseconds.
    pub(super) const fn division(&self) -> (i64, i64) {
        (self.origin, self.width)
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// How wide each is, in seconds.
    pub(crate) const fn seconds(&self) -> i64 {
        self.width / SECOND
    }

    /// When each begins.
    pub(crate) fn starts(&self) -> Vec<UtcMicros> {
        (0..self.count)
            .map_while(|index| i64::try_from(index).ok())
            .map(|index| UtcMicros::from_micros(self.origin + index * self.width))
            .collect()
    }
}

/// A filter that is bounded on both sides, by the last 24 hours if not by itself, and its bounds.
fn bounded(filter: &Filter, now: UtcMicros) -> (Filter, (i64, i64)) {
    let period = filter.period();
    let to = period.to.unwrap_or(now);
    let from = period.from.unwrap_or_else(|| to.minus(PERIOD_DEFAULT));
    let within = Filter::within(&Period {
        from: Some(from),
        to: Some(to),
    });
    (filter.and(&within), (from.as_micros(), to.as_micros()))
}

/// A width such as `30s`, `5m`, `1h`, `1d` or `1w`, in seconds.
fn width(text: &str) -> Result<i64, InvalidParameter> {
    crate::search::whole_seconds(text).ok_or_else(|| {
        InvalidParameter::new(
            "bucket",
            "not `auto` or a length of time such as 30s, 5m, 1h or 1d",
        )
    })
}

/// Takes `offset` out: how far the reader's clock is ahead of UTC, in minutes; returned in microseconds.
pub(super) fn offset(parameters: &mut Parameters) -> Result<i64, InvalidParameter> {
    let range = -OFFSET_MINUTES_MAX..=OFFSET_MINUTES_MAX;
    let minutes = parameters.number("offset", range)?.unwrap_or(0);
    Ok(minutes * 60 * SECOND)
}

/// Takes `limit` out: how many values are listed.
pub(super) fn limit(parameters: &mut Parameters, default: u16, max: u16) -> Result<i64, InvalidParameter> {
    let least = NonZeroU16::MIN.get();
    Ok(i64::from(
        parameters.number("limit", least..=max)?.unwrap_or(default),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * SECOND;
    /// 2026-01-15T00:00:00Z, a Thursday.
    const START: i64 = 1_768_435_200 * SECOND;

    #[test]
    fn a_period_is_divided_at_round_times() {
        for (length, seconds) in [
            (60 * SECOND, 1),
            (HOUR, 60),
            (24 * HOUR, 1_800),
            (30 * 24 * HOUR, 43_200),
        ] {
            let buckets = Buckets::divide((START, START + length), None, 0).unwrap();
            assert_eq!(buckets.seconds(), seconds, "{length}");
            assert!(buckets.count() <= 121);
        }
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_refused_as_such() {
        let now = UtcMicros::from_micros(START);
        for (query, name) in [
            ("from=2026-01-15T00:00:00Z", "from"),
            ("from=2026-01-16T00:00:00Z&q=user:alice", "from"),
            ("q=time:>2026-01-16", "q"),
            ("q=time:2026-01-14&to=2026-01-13T00:00:00Z", "q"),
            ("q=time:2026-01-12+time:2026-01-13&bucket=1h", "q"),
        ] {
            let error = Buckets::read(Parameters::parse(query).unwrap(), now).unwrap_err();
            assert_eq!(error.name, name, "{query}: {error}");
            assert!(
                error.problem.contains("the period begins at 2026-01-1"),
                "{query}: {error}"
            );
        }
    }

    #[test]
    fn days_begin_at_the_reader_s_midnight_and_the_whole_period_is_covered() {
        let period = (START, START + 24 * HOUR);

        let utc = Buckets::divide(period, Some(86_400), 0).unwrap();
        let berlin = Buckets::divide(period, Some(86_400), HOUR).unwrap();

        assert_eq!((utc.origin, utc.count), (START, 1));
        assert_eq!((berlin.origin, berlin.count), (START - HOUR, 2));
    }

    #[test]
    fn too_many_stretches_are_refused_with_the_width_that_would_do() {
        let error = Buckets::divide((START, START + 24 * HOUR), Some(1), 0).unwrap_err();

        assert_eq!(error.name, "bucket");
        assert!(error.problem.contains("87s"), "{}", error.problem);
        assert!(Buckets::divide((START, START + 24 * HOUR), Some(87), 0).is_ok());
        // From the first to the last moment that can be written.
        let ever = (-377_705_116_800 * SECOND, 253_402_207_200 * SECOND);
        assert!(Buckets::divide(ever, None, 0).is_ok());
    }
}
