//! Judging a stretch of time again, from the log, because of events that came after the engine had forgotten it. Pure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use shared::clock::UtcMicros;

use super::span::{micros, open_from};
use super::tell::tell;
use super::timeline::Standing;
use super::{Engine, Finding, Fingerprint, LATENESS, Late, Outcome, Replay};
use crate::detection::rule::{Pattern, Rule, RuleSet};

/// A stretch of whole periods of all rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// The first moment.
    pub from: UtcMicros,
    /// The first moment after.
    pub until: UtcMicros,
}

/// An alert that is stored and stands.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// The rule's id.
    pub rule: Arc<str>,
    /// The beginning of its period.
    pub window_start: UtcMicros,
    /// When the event happened that the rule fires with first.
    pub at: UtcMicros,
}

impl Again {
    /// The periods that `late` touches.
    pub fn of(rules: &RuleSet, late: Late) -> Self {
        let periods = rules
            .rules()
            .iter()
            .filter(|rule| is_windowed(rule))
            .map(|rule| micros(rule.repeat));
        // Every period is a whole part of a day, but not of every longer one: a day is of all.
        let longest = periods.max().unwrap_or(1);
        let all_fit = rules
            .rules()
            .iter()
            .all(|rule| longest % micros(rule.repeat) == 0);
        let period = if all_fit {
            longest
        } else {
            micros(Duration::from_hours(24))
        };
        let floor = |at: UtcMicros| at.as_micros().div_euclid(period) * period;
        Self {
            from: UtcMicros::from_micros(floor(late.from)),
            until: UtcMicros::from_micros(floor(late.until).saturating_add(period)),
        }
    }

    /// The rules that are judged again. Habits are kept up to date by themselves, however late an event is.
    pub fn judged(rules: &RuleSet) -> RuleSet {
        RuleSet::of(
            rules
                .rules()
                .iter()
                .filter(|rule| is_windowed(rule))
                .cloned()
                .collect(),
        )
    }

    /// From when on events are needed to judge it, as of [`Engine::reach`].
    pub fn reads_from(&self, rules: &RuleSet, has_places: bool) -> UtcMicros {
        self.from.minus(Engine::reach(rules, has_places))
    }

    /// Until before when events are read to judge it, `watermark` being how far the log had been read when that began. What happened since
    /// is judged as it is read; what comes later and happened before is late as well, and judged again another time.
    pub fn reads_until(&self, watermark: UtcMicros) -> UtcMicros {
        // No rule waits for longer than what is late may take.
        self.until.plus(LATENESS).min(watermark.minus(LATENESS))
    }

    /// Judges it by `replay`, which has taken in what the [`Again::judged`] rules need: the events from [`Again::reads_from`] until
    /// [`Again::reads_until`]. `told` are the alerts of its periods that stand. What the rules fire with since then is not in the answer, see
    /// [`Engine::correct`].
    pub fn judge(&self, rules: &RuleSet, replay: Replay, told: &[Told], watermark: UtcMicros) -> Outcome {
        let last = watermark.minus(LATENESS + Duration::from_micros(1));
        let ledger = replay.end(last);
        let is_ours = |rule: &Rule, window_start: UtcMicros| {
            is_windowed(rule) && (self.from..self.until).contains(&window_start)
        };
        let is_judged = |alert: &&Told| {
            rules.find(&alert.rule).is_some_and(|rule| {
                let open_from = open_from(&rule.pattern, watermark.as_micros());
                is_ours(rule, alert.window_start) && alert.at.as_micros() < open_from
            })
        };
        Outcome {
            withdrawn: told
                .iter()
                .filter(is_judged)
                .map(|alert| alert.fingerprint)
                .filter(|fingerprint| !ledger.contains_key(fingerprint))
                .collect(),
            raised: ledger
                .into_values()
                .filter(|finding| is_ours(&finding.rule, finding.window_start))
                .collect(),
            ..Outcome::default()
        }
    }
}

impl Engine {
    /// Judging again begins, and the log has been read up to `watermark`. What it must be put together with by [`Engine::correct`] is kept
    /// until then, however long it takes.
    pub const fn keep_from(&mut self, watermark: UtcMicros) {
        self.kept_from = Some(watermark.as_micros());
    }

    /// Takes over what judging again has found of the past until [`LATENESS`] before `watermark`, and tells what stands by that and by what has
    /// happened since: an alert's period may have begun before and go on.
    #[must_use]
    pub fn correct(&mut self, found: &Outcome, watermark: UtcMicros) -> Outcome {
        self.kept_from = None;
        let mut outcome = Outcome::default();
        self.correct_withdrawn(&found.withdrawn, watermark, &mut outcome);
        for finding in &found.raised {
            self.correct_raised(finding, watermark, &mut outcome);
        }
        outcome.sort();
        outcome
    }

    fn correct_withdrawn(&mut self, withdrawn: &[Fingerprint], watermark: UtcMicros, outcome: &mut Outcome) {
        let mut withdrawn: HashSet<Fingerprint> = withdrawn.iter().copied().collect();
        if withdrawn.is_empty() {
            return;
        }
        for (rule, groups) in self.rules.rules().iter().zip(&mut self.groups) {
            let open_from = open_from(&rule.pattern, watermark.as_micros());
            for (group, timeline) in groups {
                for begins in timeline.periods() {
                    let fingerprint = Fingerprint::of(&rule.id, group, UtcMicros::from_micros(begins));
                    if withdrawn.remove(&fingerprint) {
                        let changes = timeline.correct(rule, begins, open_from, None);
                        tell(rule, group, changes, outcome);
                    }
                }
            }
        }
        // Nothing is known of the others here.
        outcome.withdrawn.extend(withdrawn);
    }

    fn correct_raised(&mut self, found: &Finding, watermark: UtcMicros, outcome: &mut Outcome) {
        let mut rules = self.rules.rules().iter().zip(&mut self.groups);
        let Some((rule, groups)) = rules.find(|(rule, _)| rule.id == found.rule.id) else {
            return;
        };
        let open_from = open_from(&rule.pattern, watermark.as_micros());
        let timeline = groups.entry(found.group.clone()).or_default();
        let (begins, standing) = (found.window_start.as_micros(), Standing::of(found));
        let changes = timeline.correct(rule, begins, open_from, Some(standing));
        tell(rule, &found.group, changes, outcome);
    }
}

fn is_windowed(rule: &Rule) -> bool {
    !matches!(rule.pattern, Pattern::Habit(_))
}
