//! Judging again what came too late: when that is begun, and how it goes on in slices, between which the leader follows the log.

use std::time::{Duration, Instant};

use shared::clock::UtcMicros;
use shared::database::DatabaseError;

use super::engine::{Again, Replay};
use super::past::{Replaying, Span};
use super::rule::RuleSet;
use super::store::Due;
use crate::event_log::EventLog;

/// What came late is judged again when nothing late has come for so long: it seldom comes alone.
const QUIET: Duration = Duration::from_secs(10);

/// It waits no longer than this, however much more comes: a backlog of a million has come by then.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where late events do not end, judging again comes no sooner than so many times as long as it took the last time: of a backlog everything is late, and
/// all of it is read again each time.
const PAUSES: u32 = 10;

/// How long the leader reads the past before it looks for what is new: what happens now is told of within seconds, whatever came late.
const SLICE: Duration = Duration::from_millis(300);

/// When what came late is judged again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness {
    /// When late events came, the first and the last that were not judged again; none if there are none.
    came: Option<(Instant, Instant)>,
    /// How long judging again took the last time.
    took: Duration,
}

impl Lateness {
    /// Late events have come.
    pub(super) fn note(&mut self, now: Instant) {
        let (first, _) = self.came.unwrap_or((now, now));
        self.came = Some((first, now));
    }

    /// Judging again is begun.
    pub(super) const fn begin(&mut self) {
        self.came = None;
    }

    /// It has ended, after so long.
    pub(super) const fn end(&mut self, took: Duration) {
        self.took = took;
    }

    /// Whether it is time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.came.is_some_and(|(first, last)| {
            now.duration_since(last) >= QUIET.max(self.took)
                || now.duration_since(first) >= PATIENCE.max(self.took * PAUSES)
        })
    }
}

/// A stretch that is being judged again.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) due: Due,
    /// How far the log had been read when it began: what is newer is judged as it is read.
    pub(super) watermark: UtcMicros,
    replaying: Replaying,
    spent: Duration,
}

impl Judging {
    /// Before the first event that it needs.
    pub(super) async fn begin(
        log: &EventLog,
        rules: &RuleSet,
        due: Due,
        watermark: UtcMicros,
    ) -> Result<Self, DatabaseError> {
        let span = Span {
            from: due.again.reads_from(rules, log.places().is_some()),
            until: due.again.reads_until(watermark),
        };
        Ok(Self {
            due,
            watermark,
            replaying: Replaying::begin(log, &Again::judged(rules), span).await?,
            spent: Duration::ZERO,
        })
    }

    /// Goes on for a slice. Returns whether that was the last.
    pub(super) async fn go_on(&mut self) -> Result<bool, DatabaseError> {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            if !self.replaying.step().await? {
                self.spent += begun.elapsed();
                return Ok(true);
            }
        }
        self.spent += begun.elapsed();
        Ok(false)
    }

    /// How long it has been at work, without what came between.
    pub(super) const fn spent(&self) -> Duration {
        self.spent
    }

    /// What has been read.
    pub(super) fn end(self) -> Replay {
        self.replaying.into_replay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is due so many seconds after late events came at each of `came`.
    fn is_due(took: u64, came: impl IntoIterator<Item = u64>, after: u64) -> bool {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut lateness = Lateness::default();
        lateness.end(Duration::from_secs(took));
        for second in came {
            lateness.note(at(second));
        }
        lateness.is_due(at(after))
    }

    #[test]
    fn nothing_is_due_before_anything_was_late() {
        assert!(!is_due(0, [], 3_600));
    }

    #[test]
    fn what_was_late_is_judged_when_nothing_late_has_come_for_ten_seconds() {
        assert!(!is_due(0, [0, 5], 14));
        assert!(is_due(0, [0, 5], 15));
    }

    #[test]
    fn what_is_late_all_the_time_is_judged_after_five_minutes() {
        assert!(!is_due(0, 0..=299, 299));
        assert!(is_due(0, 0..=300, 300));
    }

    #[test]
    fn what_takes_long_is_done_less_often() {
        assert!(!is_due(30, [0], 29));
        assert!(is_due(30, [0], 30));
        assert!(!is_due(60, 0..=599, 599));
        assert!(is_due(60, 0..=600, 600));
    }

    #[test]
    fn what_came_before_the_beginning_is_not_due_again() {
        let start = Instant::now();
        let mut lateness = Lateness::default();
        lateness.note(start);
        lateness.begin();
        assert!(!lateness.is_due(start + Duration::from_hours(1)));
    }
}
