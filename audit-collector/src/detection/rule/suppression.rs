//! Suppressions: alerts that are to be told to nobody for a while, and why. Pure.
//!
//! They stand in a file beside the rules, so that whoever reviews those sees them too. What they silence is found and kept
//! all the same.

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use shared::clock::UtcMicros;

use super::compile::{Problem, unreadable};

/// The file of the rules' folder that holds them.
pub(super) const FILE: &str = "suppressions.yaml";

/// Something that is silenced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// A rule's id; every rule if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// A value of the group, such as a user or an address; every group if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: UtcMicros,
}

impl Suppression {
    /// Whether it silences an alert of `rule` on `group` at `now`.
    pub fn covers(&self, rule: &str, group: &[String], now: UtcMicros) -> bool {
        let is_of_rule = self.rule.as_ref().is_none_or(|wanted| wanted == rule);
        let is_of_group = self.value.as_ref().is_none_or(|wanted| group.contains(wanted));
        is_of_rule && is_of_group && now < self.until
    }
}

/// The suppressions of a file's text. `is_rule` knows the ids of rules.
pub(super) fn parse(text: &str, is_rule: impl Fn(&str) -> bool) -> Result<Vec<Suppression>, Vec<Problem>> {
    let listed: Vec<Spanned<Suppression>> =
        serde_saphyr::from_str(text).map_err(|error| vec![unreadable(&error)])?;
    let mut problems = Vec::new();
    for entry in &listed {
        let mut problem = |cause: String| {
            problems.push(Problem {
                line: Some(entry.referenced.line()),
                cause,
            });
        };
        let suppression = &entry.value;
        if suppression.rule.is_none() && suppression.value.is_none() {
            problem("a suppression names a rule, a value or both".to_owned());
        }
        if let Some(rule) = suppression.rule.as_ref().filter(|rule| !is_rule(rule)) {
            problem(format!("there is no rule {rule:?}"));
        }
        if suppression.reason.trim().is_empty() {
            problem("a suppression says why".to_owned());
        }
    }
    if problems.is_empty() {
        Ok(listed.into_iter().map(|entry| entry.value).collect())
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suppression_covers_its_rule_and_value_until_it_ends() {
        let until: UtcMicros = "2026-02-01T00:00:00Z".parse().unwrap();
        let before = UtcMicros::from_micros(until.as_micros() - 1);
        let suppression = |rule: Option<&str>, value: Option<&str>| Suppression {
            rule: rule.map(str::to_owned),
            value: value.map(str::to_owned),
            reason: "a test".into(),
            until,
        };
        let group = ["mallory".to_owned(), "192.0.2.1".to_owned()];

        assert!(suppression(Some("r"), None).covers("r", &group, before));
        assert!(suppression(None, Some("192.0.2.1")).covers("r", &group, before));
        assert!(!suppression(Some("s"), None).covers("r", &group, before));
        assert!(!suppression(Some("r"), Some("alice")).covers("r", &group, before));
        assert!(!suppression(Some("r"), None).covers("r", &group, until));
    }

    #[test]
    fn a_suppression_says_what_why_and_until_when() {
        let text = "- {rule: known, reason: planned test, until: 2026-02-01T00:00:00Z}\n\
            - {reason: everything, until: 2026-02-01T00:00:00Z}\n\
            - {rule: unknown, reason: '', until: 2026-02-01T00:00:00Z}\n";

        let problems = parse(text, |rule| rule == "known").unwrap_err();

        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(2), Some(3), Some(3)], "{problems:?}");
        assert!(parse("- {rule: known, reason: for ever}", |_| true).is_err());
        assert!(parse("- {rule: known, reason: a, until: soon}", |_| true).is_err());
        assert_eq!(parse("[]", |_| true), Ok(vec![]));
    }
}
