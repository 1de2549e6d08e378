//! How much is allowed in a time, and whether one more request is within it: the generic cell rate algorithm.
//!
//! One moment is all that is kept for each key: when its bucket would be full again if nothing more came. Whoever has waited
//! until then is as if never seen.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest time that a bucket may take to fill, so that no key is remembered for longer.
const FILLS_IN_MAX: Duration = Duration::from_hours(30 * 24);

/// More than a million requests of one kind at a time is no limit.
const COUNT_MAX: u32 = 1_000_000;

/// So many requests in a unit of time, and how many of them may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    count: u32,
    unit: Unit,
    burst: u32,
}

/// What a limit counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const fn length(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }
}

impl FromStr for Unit {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        [Self::Second, Self::Minute, Self::Hour, Self::Day]
            .into_iter()
            .find(|unit| unit.as_str() == text)
            .ok_or(QuotaError::Limit)
    }
}

/// Why something is no quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// Not of the form `10/min`.
    #[error("`limit` is of the form `10/min`, in `s`, `min`, `h` or `d`, and a million at most")]
    Limit,
    /// None at once would be none at all.
    #[error("`burst` is one at least, and takes 30 days to fill at most")]
    Burst,
}

/// What one more request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is within the quota.
    Admitted {
        /// When the bucket is full again from now on.
        full_at: Duration,
        /// How many more may come at once.
        remaining: u32,
    },
    /// It is not, and costs nothing.
    Refused {
        /// How long until one would be.
        retry_in: Duration,
    },
}

impl Quota {
    /// The quota of `limit`, such as `10/min`, of which `burst` may come at once; all of them if not given.
    pub fn parse(limit: &str, burst: Option<u32>) -> Result<Self, QuotaError> {
        let (count, unit) = limit.split_once('/').ok_or(QuotaError::Limit)?;
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count: u32 = count.parse().map_err(|_| QuotaError::Limit)?;
        if !is_number || !(1..=COUNT_MAX).contains(&count) {
            return Err(QuotaError::Limit);
        }
        let quota = Self {
            count,
            unit: unit.parse()?,
            burst: burst.unwrap_or(count),
        };
        let fills = u128::from(quota.burst) * quota.unit.length().as_nanos() / u128::from(count);
        if quota.burst == 0 || fills > FILLS_IN_MAX.as_nanos() {
            return Err(QuotaError::Burst);
        }
        Ok(quota)
    }

    /// How many may come at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// How long an empty bucket takes to fill.
    pub fn fills_in(self) -> Duration {
        self.interval() * self.burst
    }

    /// The limit as it is written.
    pub fn limit(self) -> String {
        format!("{}/{}", self.count, self.unit.as_str())
    }

    /// The time that each request is worth.
    fn interval(self) -> Duration {
        self.unit.length() / self.count
    }

    /// Judges one more request at `now` for a key whose bucket would be full at `full_at`.
    pub(super) fn judge(self, full_at: Duration, now: Duration) -> Verdict {
        let full_at = full_at.max(now) + self.interval();
        let (owed, room) = (full_at.saturating_sub(now), self.fills_in());
        let Some(left) = room.checked_sub(owed) else {
            let retry_in = owed.saturating_sub(room);
            return Verdict::Refused { retry_in };
        };
        let remaining = left.as_nanos() / self.interval().as_nanos().max(1);
        Verdict::Admitted {
            full_at,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {} at once", self.limit(), self.burst)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The moments, in milliseconds, at which a request is admitted.
    fn admitted(quota: Quota, moments: &[u64]) -> Vec<u64> {
        let mut full_at = Duration::ZERO;
        let admits = |moment: &&u64| match quota.judge(full_at, Duration::from_millis(**moment)) {
            Verdict::Admitted { full_at: then, .. } => {
                full_at = then;
                true
            }
            Verdict::Refused { .. } => false,
        };
        moments.iter().filter(admits).copied().collect()
    }

    #[test]
    fn so_many_come_at_once_and_then_one_for_each_part_of_the_time() {
        let quota = Quota::parse("10/s", Some(3)).unwrap();

        assert_eq!(
            admitted(quota, &[0, 0, 0, 0, 99, 100, 100, 199, 200]),
            [0, 0, 0, 100, 200]
        );
        assert_eq!(
            admitted(quota, &[0, 0, 0, 300, 300, 300, 300]),
            [0, 0, 0, 300, 300, 300]
        );
    }

    #[test]
    fn who_is_refused_is_told_when_one_would_be_admitted_and_pays_nothing_for_asking() {
        let quota = Quota::parse("1/min", None).unwrap();
        let Verdict::Admitted { full_at, remaining } = quota.judge(Duration::ZERO, Duration::ZERO) else {
            panic!("the first is admitted");
        };
        assert_eq!((full_at, remaining), (Duration::from_mins(1), 0));

        let at = Duration::from_secs(15);
        let Verdict::Refused { retry_in } = quota.judge(full_at, at) else {
            panic!("the second is refused");
        };

        assert_eq!(retry_in, Duration::from_secs(45));
        assert!(matches!(
            quota.judge(full_at, at + retry_in),
            Verdict::Admitted { .. }
        ));
    }

    #[test]
    fn what_is_no_quota_is_refused() {
        for limit in [
            "",
            "10",
            "/min",
            "0/min",
            "10/month",
            "-1/s",
            "+1/s",
            "1000001/s",
            "1.5/s",
            "1/ s",
        ] {
            assert_eq!(Quota::parse(limit, None), Err(QuotaError::Limit), "{limit}");
        }
        assert_eq!(Quota::parse("1/min", Some(0)), Err(QuotaError::Burst));
        assert_eq!(Quota::parse("1/d", Some(31)), Err(QuotaError::Burst));
        let shown = Quota::parse("600/h", Some(20)).unwrap().to_string();
        assert_eq!(shown, "600/h, 20 at once");
    }

    proptest! {
        #[test]
        fn no_pattern_of_arrivals_gets_more_than_the_burst_and_the_rate(
            count in 1u32..50, burst in 1u32..20, gaps in prop::collection::vec(0u64..400, 1..120)
        ) {
            let quota = Quota::parse(&format!("{count}/s"), Some(burst)).unwrap();
            let moments: Vec<u64> = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) }).collect();

            let taken = admitted(quota, &moments);

            for (index, first) in taken.iter().enumerate() {
                for (more, last) in taken[index..].iter().enumerate() {
                    let earned = (last - first) * u64::from(count);
                    let taken = u64::try_from(more).unwrap() + 1;
                    prop_assert!(taken * 1_000 <= u64::from(burst) * 1_000 + earned);
                }
            }
        }
    }
}
