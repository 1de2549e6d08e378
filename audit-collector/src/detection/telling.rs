//! Whether a finding is told: by the rule's file, by what people have decided, and by what is silenced. Pure.

use std::collections::HashMap;

use shared::clock::UtcMicros;

use super::engine::Finding;
use super::rule::{RuleSet, Status};
use super::silence::Silence;
use super::standing::Standing;

/// What people have decided, as it stands when something is found.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) standings: HashMap<String, Standing>,
    pub(super) silences: Vec<Silence>,
}

/// How a finding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Telling<'d> {
    /// Whether its rule is a shadow.
    pub(crate) is_shadow: bool,
    /// Why it is silenced, if it is.
    pub(crate) silenced: Option<&'d str>,
}

impl Telling<'_> {
    /// Whether anybody hears of it.
    pub(crate) const fn is_told(self) -> bool {
        !self.is_shadow && self.silenced.is_none()
    }
}

impl Decided {
    /// How `finding` is told at `now`.
    pub(super) fn telling<'d>(
        &'d self,
        rules: &'d RuleSet,
        finding: &Finding,
        now: UtcMicros,
    ) -> Telling<'d> {
        let (rule, group) = (&finding.rule, &finding.group);
        let standing = self.standings.get(&*rule.id);
        let status = standing.map_or(rule.status, |standing| standing.status(rule));
        let by_people = || {
            let covering = self
                .silences
                .iter()
                .find(|silence| silence.what.covers(&rule.id, group, now));
            covering.map(|silence| silence.what.reason.as_str())
        };
        Telling {
            is_shadow: status == Status::Shadow,
            silenced: rules.silence(&rule.id, group, now).or_else(by_people),
        }
    }
}
