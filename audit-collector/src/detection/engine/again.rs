//! Judging a stretch of time again, from the log, because of events that came after the engine had forgotten it. Pure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use shared::clock::UtcMicros;

use super::span::{micros, open_from};
use super::{Engine, Fingerprint, Late, Ledger, Outcome};
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

    /// Judges it by `ledger`, what a replay of the [`Again::judged`] rules from [`Again::reads_from`] on found. `told` are the
    /// alerts of its periods that stand; `watermark` is how far the log had been read when the replay began: what is newer is judged by
    /// the engine that reads it, and what comes later than that again.
    pub fn judge(&self, rules: &RuleSet, ledger: Ledger, told: &[Told], watermark: UtcMicros) -> Outcome {
        let stands: HashSet<Fingerprint> = ledger.keys().copied().collect();
        let is_ours = |rule: &str, window_start: UtcMicros, at: UtcMicros| {
            let rule = rules.find(rule).filter(|rule| is_windowed(rule));
            let is_closed =
                |rule: &Arc<Rule>| at.as_micros() < open_from(&rule.pattern, watermark.as_micros());
            (self.from..self.until).contains(&window_start) && rule.is_some_and(is_closed)
        };
        Outcome {
            withdrawn: told
                .iter()
                .filter(|alert| is_ours(&alert.rule, alert.window_start, alert.at))
                .map(|alert| alert.fingerprint)
                .filter(|fingerprint| !stands.contains(fingerprint))
                .collect(),
            raised: ledger
                .into_values()
                .filter(|finding| is_ours(&finding.rule.id, finding.window_start, finding.at))
                .collect(),
            ..Outcome::default()
        }
    }
}

fn is_windowed(rule: &Rule) -> bool {
    !matches!(rule.pattern, Pattern::Habit(_))
}
