//! Whether one server can be given requests: by checks that ask it, and by requests that failed there.

use std::time::{Duration, Instant};

use crate::policy::HealthCheck;

/// So many requests in a row that a server did not answer put it aside.
const FAILURES_MAX: u32 = 3;

/// For how long it is put aside. Then one more failure does it again.
const ASIDE: Duration = Duration::from_secs(10);

/// What a server is good for, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It gets requests.
    Up,
    /// It gets requests only while no other server is up: it may be just as well.
    Aside,
    /// Its checks fail, and it gets none.
    Down,
}

/// What is known of one server.
#[derive(Debug, Default)]
pub(super) struct Wellness {
    is_down: bool,
    /// Checks in a row that spoke against what holds.
    contrary_checks: u32,
    /// Requests in a row without an answer.
    failures: u32,
    aside_until: Option<Instant>,
}

impl Wellness {
    pub(super) fn standing(&self, now: Instant) -> Standing {
        if self.is_down {
            Standing::Down
        } else if self.aside_until.is_some_and(|until| now < until) {
            Standing::Aside
        } else {
            Standing::Up
        }
    }

    /// Takes in a check; tells the standing if it is another one.
    pub(super) fn note_check(&mut self, is_good: bool, check: &HealthCheck) -> Option<Standing> {
        if is_good != self.is_down {
            self.contrary_checks = 0;
            return None;
        }
        self.contrary_checks += 1;
        let (enough, standing) = if self.is_down {
            (check.up_after, Standing::Up)
        } else {
            (check.down_after, Standing::Down)
        };
        if self.contrary_checks < enough {
            return None;
        }
        *self = Self {
            is_down: standing == Standing::Down,
            ..Self::default()
        };
        Some(standing)
    }

    /// Takes in a request that was not answered; tells the standing if it is another one.
    pub(super) fn note_failure(&mut self, now: Instant) -> Option<Standing> {
        let before = self.standing(now);
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.aside_until = Some(now + ASIDE);
        }
        let after = self.standing(now);
        (after != before).then_some(after)
    }

    /// Takes in a request that was answered, whatever the status; tells the standing if it is another one.
    pub(super) fn note_answer(&mut self) -> Option<Standing> {
        self.failures = 0;
        // It was put aside, and is not any more.
        self.aside_until
            .take()
            .filter(|_| !self.is_down)
            .map(|_| Standing::Up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> HealthCheck {
        HealthCheck {
            path: "/healthz".parse().unwrap(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            down_after: 3,
            up_after: 2,
        }
    }

    #[test]
    fn a_server_changes_after_so_many_checks_in_a_row_and_not_before() {
        let (mut wellness, check) = (Wellness::default(), check());
        let mut told = Vec::new();

        for is_good in [
            false, false, true, false, false, false, false, true, false, true, true, true,
        ] {
            told.push(wellness.note_check(is_good, &check));
        }

        let changes: Vec<_> = told
            .into_iter()
            .enumerate()
            .filter_map(|(at, told)| Some((at, told?)))
            .collect();
        assert_eq!(changes, [(5, Standing::Down), (10, Standing::Up)]);
    }

    #[test]
    fn failures_in_a_row_put_a_server_aside_for_a_time() {
        let (mut wellness, now) = (Wellness::default(), Instant::now());
        wellness.note_failure(now);
        wellness.note_failure(now);
        assert_eq!(wellness.note_answer(), None, "an answer between them counts");
        let told: Vec<_> = (0..4).map(|_| wellness.note_failure(now)).collect();

        assert_eq!(told, [None, None, Some(Standing::Aside), None]);
        assert_eq!(wellness.standing(now + ASIDE), Standing::Up);
        assert_eq!(
            wellness.note_failure(now + ASIDE),
            Some(Standing::Aside),
            "one more does it again"
        );
        assert_eq!(wellness.note_answer(), Some(Standing::Up));
        assert_eq!(wellness.standing(now), Standing::Up);
    }
}
