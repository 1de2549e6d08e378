//! When which fault happens: the same seed gives the same plan. Pure.

use std::time::Duration;

use fastrand::Rng;

use crate::fault::Fault;

/// The load runs undisturbed for so long first, so that there is something to lose.
const QUIET_FIRST: Duration = Duration::from_secs(2);

/// The time between two faults of one kind, counted from the end of the former.
const PAUSE_MS: std::ops::Range<u64> = 1_500..5_000;

/// How long a fault lasts that lasts at all.
const LASTING_MS: std::ops::Range<u64> = 1_000..6_000;

/// One fault at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// When, counted from the beginning of the load.
    pub at: Duration,
    /// What.
    pub fault: Fault,
    /// For how long, where it lasts.
    pub lasting: Duration,
    /// What decides everything else about it, such as which process is hit.
    pub seed: u64,
}

/// The injections of a run of `length`, in order of time.
///
/// One kind alone is repeated with pauses. Of several each happens once, at any time, so that they overlap.
pub fn plan(seed: u64, faults: &[Fault], length: Duration) -> Vec<Injection> {
    let mut rng = Rng::with_seed(seed);
    let mut injections = match faults {
        [only] => repeated(&mut rng, *only, length),
        several => spread(&mut rng, several, length),
    };
    injections.sort_by_key(|injection| injection.at);
    injections
}

fn repeated(rng: &mut Rng, fault: Fault, length: Duration) -> Vec<Injection> {
    let mut injections = Vec::new();
    let mut at = QUIET_FIRST;
    while at < length || injections.is_empty() {
        let injection = injection(rng, fault, at);
        at += injection.lasting + millis(rng, PAUSE_MS);
        injections.push(injection);
    }
    injections
}

fn spread(rng: &mut Rng, faults: &[Fault], length: Duration) -> Vec<Injection> {
    let end = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let begin = u64::try_from(QUIET_FIRST.as_millis()).unwrap_or(0);
    faults
        .iter()
        .map(|fault| {
            let at = millis(rng, begin..end.max(begin + 1));
            injection(rng, *fault, at)
        })
        .collect()
}

fn injection(rng: &mut Rng, fault: Fault, at: Duration) -> Injection {
    Injection {
        at,
        fault,
        lasting: millis(rng, LASTING_MS),
        seed: rng.u64(..),
    }
}

fn millis(rng: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(40);

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_another() {
        let faults = [Fault::DoorKilled, Fault::LinkCut, Fault::BrokerFrozen];

        assert_eq!(plan(7, &faults, LENGTH), plan(7, &faults, LENGTH));
        assert_ne!(plan(7, &faults, LENGTH), plan(8, &faults, LENGTH));
    }

    #[test]
    fn one_kind_alone_is_repeated_until_the_end() {
        let injections = plan(1, &[Fault::DoorKilled], LENGTH);

        assert!(injections.len() >= 4, "{injections:?}");
        assert!(injections.iter().all(|injection| injection.at < LENGTH));
        assert!(
            injections
                .windows(2)
                .all(|two| two[0].at + two[0].lasting < two[1].at)
        );
    }

    #[test]
    fn of_several_kinds_each_happens_and_in_order_of_time() {
        let injections = plan(3, Fault::all(), LENGTH);

        assert!(
            Fault::all()
                .iter()
                .all(|fault| injections.iter().any(|done| done.fault == *fault))
        );
        assert!(injections.is_sorted_by_key(|injection| injection.at));
    }

    #[test]
    fn a_run_shorter_than_its_quiet_time_still_has_its_fault() {
        assert_eq!(plan(1, &[Fault::QueueUnbound], Duration::from_secs(1)).len(), 1);
    }
}
