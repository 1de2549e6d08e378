//! Counts requests against the limits of their routes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use shared::token::Verified;

use super::metrics::RateMetrics;
use super::quota::{Quota, Verdict};
use super::rule::RateRule;
use super::table::{Arrival, Key, Table};

/// Keys of each kind at most: some megabytes.
const KEYS_MAX: usize = 100_000;

/// Counts for all routes. Strangers fill a table of their own, so that they crowd out nobody who is known.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    strangers: Table,
    callers: Table,
    /// What moments are counted from; no change of the clock reaches it.
    begun: Instant,
    metrics: RateMetrics,
}

/// How a request stands with one limit that it is within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What the limit is called.
    pub(crate) name: String,
    pub(crate) quota: Quota,
    /// How many more may come at once.
    pub(crate) remaining: u32,
    /// How long until as many may come as ever, or until one may.
    pub(crate) reset_in: Duration,
}

/// A limit that a request is not within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// What the limit is called.
    pub(crate) name: String,
    /// It and those that were asked before it.
    pub(crate) standings: Vec<Standing>,
    /// How long until a request would be within it.
    pub(crate) retry_in: Duration,
}

impl RateLimiter {
    /// A limiter that has counted nothing.
    pub(crate) fn new(metrics: RateMetrics) -> Self {
        Self {
            strangers: Table::new(KEYS_MAX),
            callers: Table::new(KEYS_MAX),
            begun: Instant::now(),
            metrics,
        }
    }

    /// The moment, as the other functions want it.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Counts a request against those of `rules` that need not know who calls.
    pub(crate) fn admit_stranger(
        &self,
        rules: &[RateRule],
        ip: IpAddr,
        now: Duration,
    ) -> Result<Vec<Standing>, Box<Exceeded>> {
        let rules = rules.iter().filter(|rule| !rule.per.needs_caller());
        let keyed = rules.map(|rule| (rule, rule.key_of_stranger(ip)));
        self.admit(&self.strangers, keyed, now, Vec::new())
    }

    /// Counts a request against the others, after those that it is within.
    pub(crate) fn admit_caller(
        &self,
        rules: &[RateRule],
        caller: &Verified,
        now: Duration,
        standings: Vec<Standing>,
    ) -> Result<Vec<Standing>, Box<Exceeded>> {
        let rules = rules.iter().filter(|rule| rule.per.needs_caller());
        let keyed = rules.map(|rule| (rule, rule.key_of_caller(caller)));
        self.admit(&self.callers, keyed, now, standings)
    }

    /// Counts a refusal of `ip`; an error if it has been refused as often as `rule` lets it, so that it is told to wait.
    pub(crate) fn count_refusal(
        &self,
        rule: &RateRule,
        ip: IpAddr,
        now: Duration,
    ) -> Result<(), Box<Exceeded>> {
        let keyed = std::iter::once((rule, rule.key_of_stranger(ip)));
        self.admit(&self.strangers, keyed, now, Vec::new()).map(drop)
    }

    /// How many keys are remembered, of strangers and of callers.
    pub(crate) fn keys(&self) -> [usize; 2] {
        [self.strangers.len(), self.callers.len()]
    }

    fn admit<'r>(
        &self,
        table: &Table,
        rules: impl Iterator<Item = (&'r RateRule, Key)>,
        now: Duration,
        mut standings: Vec<Standing>,
    ) -> Result<Vec<Standing>, Box<Exceeded>> {
        for (rule, key) in rules {
            match table.take(&arrival(rule, key, now)) {
                Verdict::Admitted { full_at, remaining } => standings.push(Standing {
                    name: rule.name.clone(),
                    quota: rule.quota,
                    remaining,
                    reset_in: full_at.saturating_sub(now),
                }),
                Verdict::Refused { retry_in } => {
                    self.metrics.exceeded(rule);
                    return Err(Box::new(exceeded(rule, retry_in, standings)));
                }
            }
        }
        Ok(standings)
    }
}

fn arrival(rule: &RateRule, key: Key, now: Duration) -> Arrival<'_> {
    Arrival {
        key,
        scope: rule.scope(),
        quota: rule.quota,
        now,
    }
}

fn exceeded(rule: &RateRule, retry_in: Duration, mut standings: Vec<Standing>) -> Exceeded {
    standings.push(Standing {
        name: rule.name.clone(),
        quota: rule.quota,
        remaining: 0,
        reset_in: retry_in,
    });
    Exceeded {
        name: rule.name.clone(),
        standings,
        retry_in,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Per;
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn rule(per: Per, limit: &str) -> RateRule {
        RateRule::on("r", per, Quota::parse(limit, None).unwrap())
    }

    #[test]
    fn every_limit_must_hold_and_the_one_that_does_not_is_named() {
        let limiter = RateLimiter::new(RateMetrics::default());
        let rules = [rule(Per::Address, "5/s"), rule(Per::Route, "1/min")];

        let first = limiter.admit_stranger(&rules, IP, Duration::ZERO).unwrap();
        let second = limiter.admit_stranger(&rules, IP, Duration::ZERO).unwrap_err();

        assert_eq!(
            first
                .iter()
                .map(|standing| standing.remaining)
                .collect::<Vec<_>>(),
            [4, 0]
        );
        assert_eq!(second.name, "route 1/min");
        assert_eq!(second.retry_in, Duration::from_mins(1));
        assert_eq!(second.standings.len(), 2);
    }

    #[test]
    fn refusals_are_counted_apart_from_what_they_are_asked_about() {
        let limiter = RateLimiter::new(RateMetrics::default());
        let refusals = rule(Per::Address, "2/min");
        for _ in 0..2 {
            assert!(limiter.count_refusal(&refusals, IP, Duration::ZERO).is_ok());
        }

        let spent = limiter.count_refusal(&refusals, IP, Duration::ZERO).unwrap_err();

        assert_eq!(spent.retry_in, Duration::from_secs(30));
        let later = Duration::from_secs(30);
        assert!(limiter.count_refusal(&refusals, IP, later).is_ok());
    }
}
