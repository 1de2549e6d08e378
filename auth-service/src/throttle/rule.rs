//! Whether a bucket admits one more try. Pure: state, time and rule are arguments.
//!
//! A try is charged before anybody knows how it ends, so that many at once are not many for free.

use std::time::Duration;

use shared::clock::UtcMicros;

/// How long a bucket refuses that has seen as many failures in a row as there may be: until somebody clears it.
const GIVEN_UP: Duration = Duration::from_hours(30 * 24);

/// What a bucket has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Tries that failed, or have not ended yet.
    pub(super) failures: i64,
    /// Of a [`Rule::Backoff`], the moment before which nothing is admitted; of a [`Rule::Rate`], the moment at which the
    /// bucket is as if nothing had been tried.
    pub(super) mark: UtcMicros,
}

impl State {
    /// Nothing was tried.
    pub(super) const FRESH: Self = Self {
        failures: 0,
        mark: UtcMicros::from_micros(0),
    };
}

/// How tries are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Failures in a row: some at once, then each doubles the wait, and after `give_up` there is no more.
    Backoff {
        free: u32,
        base: Duration,
        max: Duration,
        give_up: u32,
    },
    /// Failures in a time (the generic cell rate algorithm): `burst` at once, and one more for each `every`.
    Rate { burst: u32, every: Duration },
}

/// What a bucket says to a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may be made, and the bucket is this then.
    Admit(State),
    /// It may be made after so long.
    Refuse(Duration),
}

impl Rule {
    /// Admits or refuses one more try.
    pub(super) fn decide(self, state: State, now: UtcMicros) -> Verdict {
        let admits_at = self.admits_at(state);
        if now < admits_at {
            return Verdict::Refuse(admits_at.since(now));
        }
        let failures = state.failures.saturating_add(1);
        let mark = match self {
            Self::Backoff { .. } => now.plus(self.wait_after(failures)),
            Self::Rate { every, .. } => state.mark.max(now).plus(every),
        };
        Verdict::Admit(State { failures, mark })
    }

    /// What a bucket is without the charge that made `charged` of `former`. What others have charged meanwhile stays.
    pub(super) fn give_back(self, present: State, former: State, charged: State) -> State {
        // Somebody has forgotten what it had seen, this charge too.
        if present.failures <= 0 {
            return present;
        }
        let mark = match self {
            Self::Backoff { .. } if present.mark == charged.mark => former.mark,
            Self::Backoff { .. } => present.mark,
            Self::Rate { every, .. } => present.mark.minus(every),
        };
        State {
            failures: present.failures - 1,
            mark,
        }
    }

    /// From when on a bucket of that state admits a try.
    pub(super) fn admits_at(self, state: State) -> UtcMicros {
        match self {
            Self::Backoff { .. } => state.mark,
            Self::Rate { burst, every } => state.mark.minus(every * burst.saturating_sub(1)),
        }
    }

    /// How long nothing is admitted after so many failures in a row.
    fn wait_after(self, failures: i64) -> Duration {
        let Self::Backoff {
            free,
            base,
            max,
            give_up,
        } = self
        else {
            return Duration::ZERO;
        };
        if failures >= i64::from(give_up) {
            return GIVEN_UP;
        }
        let Ok(beyond) = u32::try_from(failures - i64::from(free)) else {
            return Duration::ZERO;
        };
        2_u32
            .checked_pow(beyond)
            .and_then(|factor| base.checked_mul(factor))
            .map_or(max, |wait| wait.min(max))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_800_000_000);

    fn rules() -> impl Strategy<Value = Rule> {
        let millis = 1_u64..100_000;
        prop_oneof![
            (1_u32..20, millis.clone(), millis.clone(), 20_u32..200).prop_map(
                |(free, base, more, give_up)| Rule::Backoff {
                    free,
                    base: Duration::from_millis(base),
                    max: Duration::from_millis(base + more),
                    give_up,
                }
            ),
            (1_u32..100, millis).prop_map(|(burst, every)| Rule::Rate {
                burst,
                every: Duration::from_millis(every),
            }),
        ]
    }

    /// Tries at these distances in milliseconds; the state and the time after them.
    fn after(rule: Rule, distances: &[u64]) -> (State, UtcMicros) {
        let (mut state, mut now) = (State::FRESH, NOW);
        for distance in distances {
            now = now.plus(Duration::from_millis(*distance));
            if let Verdict::Admit(next) = rule.decide(state, now) {
                state = next;
            }
        }
        (state, now)
    }

    proptest! {
        #[test]
        fn a_first_try_is_never_refused(rule in rules()) {
            prop_assert!(matches!(rule.decide(State::FRESH, NOW), Verdict::Admit(_)));
        }

        #[test]
        fn after_the_wait_that_was_told_a_try_is_admitted_and_before_it_is_not(
            rule in rules(),
            distances in prop::collection::vec(0_u64..5_000, 0..250),
        ) {
            let (state, now) = after(rule, &distances);
            if let Verdict::Refuse(wait) = rule.decide(state, now) {
                prop_assert!(!wait.is_zero());
                prop_assert!(matches!(rule.decide(state, now.plus(wait)), Verdict::Admit(_)));
                let before = now.plus(wait).minus(Duration::from_micros(1));
                prop_assert!(matches!(rule.decide(state, before), Verdict::Refuse(_)));
            }
        }

        #[test]
        fn one_more_failure_never_brings_the_next_try_nearer(
            rule in rules(),
            distances in prop::collection::vec(0_u64..5_000, 0..250),
        ) {
            let (state, now) = after(rule, &distances);
            if let Verdict::Admit(next) = rule.decide(state, now) {
                prop_assert!(rule.admits_at(next) >= rule.admits_at(state));
                prop_assert_eq!(next.failures, state.failures + 1);
            }
        }

        #[test]
        fn what_is_given_back_at_once_was_never_charged(
            rule in rules(),
            distances in prop::collection::vec(0_u64..5_000, 0..250),
        ) {
            let (state, now) = after(rule, &distances);
            if let Verdict::Admit(charged) = rule.decide(state, now) {
                let given_back = rule.give_back(charged, state, charged);
                prop_assert_eq!(given_back.failures, state.failures);
                prop_assert_eq!(
                    rule.admits_at(given_back).max(now),
                    rule.admits_at(state).max(now)
                );
            }
        }

        #[test]
        fn giving_back_never_takes_what_others_were_charged(
            rule in rules(),
            distances in prop::collection::vec(0_u64..5_000, 0..250),
        ) {
            let (state, now) = after(rule, &distances);
            let Verdict::Admit(own) = rule.decide(state, now) else { return Ok(()) };
            let Verdict::Admit(both) = rule.decide(own, now) else { return Ok(()) };
            let Verdict::Admit(other) = rule.decide(state, now) else { return Ok(()) };

            let given_back = rule.give_back(both, state, own);

            prop_assert_eq!(given_back.failures, other.failures);
            prop_assert!(rule.admits_at(given_back).max(now) >= rule.admits_at(other).max(now));
        }

        #[test]
        fn at_one_moment_no_more_are_admitted_than_the_rule_gives_for_free(rule in rules()) {
            let (state, _) = after(rule, &[0; 300]);
            let free = match rule {
                Rule::Backoff { free, .. } => free,
                Rule::Rate { burst, .. } => burst,
            };
            prop_assert_eq!(state.failures, i64::from(free));
        }
    }

    #[test]
    fn nothing_is_given_back_of_what_was_forgotten_meanwhile() {
        let rule = Rule::Rate {
            burst: 5,
            every: Duration::from_secs(1),
        };
        let Verdict::Admit(charged) = rule.decide(State::FRESH, NOW) else {
            panic!("a first try was refused");
        };

        assert_eq!(rule.give_back(State::FRESH, State::FRESH, charged), State::FRESH);
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_then_there_is_no_more() {
        let rule = Rule::Backoff {
            free: 3,
            base: Duration::from_secs(10),
            max: Duration::from_mins(1),
            give_up: 9,
        };

        let waits: Vec<_> = (1..=10)
            .map(|failures| rule.wait_after(failures).as_secs())
            .collect();

        let given_up = GIVEN_UP.as_secs();
        assert_eq!(waits, [0, 0, 10, 20, 40, 60, 60, 60, given_up, given_up]);
    }
}
