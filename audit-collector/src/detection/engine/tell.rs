//! What has become of timelines and memories → findings. Pure.

use std::sync::Arc;

use shared::clock::UtcMicros;

use super::habit::{Break, Breaks};
use super::timeline::Changes;
use super::{Finding, Fingerprint, Outcome};
use crate::detection::rule::{Habit, Rule};

pub(super) fn tell(rule: &Arc<Rule>, group: &[String], changes: Changes, outcome: &mut Outcome) {
    let fingerprint = |begins| Fingerprint::of(&rule.id, group, UtcMicros::from_micros(begins));
    outcome
        .withdrawn
        .extend(changes.withdrawn.into_iter().map(fingerprint));
    outcome
        .raised
        .extend(changes.raised.into_iter().map(|(begins, standing)| Finding {
            fingerprint: fingerprint(begins),
            rule: Arc::clone(rule),
            group: group.to_vec(),
            window_start: UtcMicros::from_micros(begins),
            at: UtcMicros::from_micros(standing.key.0),
            since: UtcMicros::from_micros(standing.since),
            until: UtcMicros::from_micros(standing.until),
            value: standing.value,
            evidence: standing.evidence,
        }));
}

pub(super) fn tell_breaks(
    rule: &Arc<Rule>,
    habit: &Habit,
    group: &[String],
    (raised, withdrawn): (Breaks, Vec<Break>),
    outcome: &mut Outcome,
) {
    let group_of = |value: String| {
        let value = Some(value).filter(|value| !value.is_empty());
        group.iter().cloned().chain(value).collect::<Vec<_>>()
    };
    for (value, begins) in withdrawn {
        let fingerprint = Fingerprint::of(&rule.id, &group_of(value), UtcMicros::from_micros(begins));
        outcome.withdrawn.push(fingerprint);
    }
    for ((value, begins), measure, evidence) in raised {
        let (group, window_start) = (group_of(value), UtcMicros::from_micros(begins));
        outcome.raised.push(Finding {
            fingerprint: Fingerprint::of(&rule.id, &group, window_start),
            rule: Arc::clone(rule),
            group,
            window_start,
            at: window_start,
            since: window_start,
            until: UtcMicros::from_micros(begins.saturating_add(habit.slot())),
            value: measure,
            evidence,
        });
    }
}
