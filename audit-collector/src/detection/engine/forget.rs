//! What is forgotten: what cannot matter any more, and what is more than there is memory for. Pure.

use std::sync::Arc;

use super::span::{open_from, window_start};
use super::timeline::Timeline;
use super::{Engine, Outcome};

/// Groups of one rule that are followed at a time. Of more, those that were silent for the longest time are forgotten.
const GROUPS_MAX: usize = 50_000;

/// Events of one rule that are kept at a time, of all its groups together, and those since the last sweep beside them. Of more, the oldest
/// are forgotten: the windows of the rule are then shorter than it says. With 48 bytes each they take 24 MB (decision 0139).
pub(super) const EVENTS_MAX: usize = 500_000;

/// How often it is looked for, in microseconds of the log's time, or
const SWEEP_EVERY: i64 = 10_000_000;

/// after how many events: while a backlog drains, many come within little time.
pub(super) const SWEEP_AFTER: usize = EVENTS_MAX / 5;

impl Engine {
    /// Forgets once in a while.
    pub(super) fn sweep(&mut self, outcome: &mut Outcome) {
        let is_early = self.watermark.saturating_sub(self.swept_at) < SWEEP_EVERY;
        if is_early && self.unswept < SWEEP_AFTER {
            return;
        }
        (self.swept_at, self.unswept) = (self.watermark, 0);
        self.forget_old(outcome);
        self.forget_beyond(EVENTS_MAX, outcome);
    }

    /// Forgets what cannot matter any more, and groups beyond those that are followed.
    fn forget_old(&mut self, outcome: &mut Outcome) {
        let watermark = self
            .kept_from
            .map_or(self.watermark, |kept| kept.min(self.watermark));
        for (rule, groups) in self.rules.rules().iter().zip(&mut self.groups) {
            let limit = window_start(&rule.pattern, open_from(&rule.pattern, watermark));
            groups.retain(|_, timeline| timeline.forget_before(rule, limit));
            let excess = groups.len().saturating_sub(GROUPS_MAX);
            if excess > 0 {
                let limit = first_after(excess, groups.values().map(Timeline::newest));
                groups.retain(|_, timeline| timeline.newest() >= limit);
                *outcome.forgotten.entry(Arc::clone(&rule.id)).or_default() += excess as u64;
            }
        }
    }

    /// Forgets the oldest events of each rule that has more than so many, whosever they are: what is left of each group is whole from one
    /// moment on, so that shares and counts of it are right for the time that they are of.
    pub(super) fn forget_beyond(&mut self, events_max: usize, outcome: &mut Outcome) {
        for (rule, groups) in self.rules.rules().iter().zip(&mut self.groups) {
            let kept: usize = groups.values().map(Timeline::len).sum();
            let Some(excess) = kept.checked_sub(events_max).filter(|excess| *excess > 0) else {
                continue;
            };
            let limit = first_after(excess, groups.values().flat_map(Timeline::moments));
            let forgotten = groups
                .values_mut()
                .map(|timeline| timeline.forget_events_before(rule, limit));
            *outcome.forgotten.entry(Arc::clone(&rule.id)).or_default() += forgotten.sum::<u64>();
        }
    }
}

/// The first moment that comes after the `excess` oldest of `moments`, of which there are as many and at least one.
fn first_after(excess: usize, moments: impl Iterator<Item = i64>) -> i64 {
    let mut moments: Vec<i64> = moments.collect();
    let (_, last, _) = moments.select_nth_unstable(excess - 1);
    last.saturating_add(1)
}
