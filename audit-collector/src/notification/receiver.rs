//! Who is told, how, and of what. Pure.

use std::collections::BTreeSet;

use super::mail::MailTarget;
use crate::detection::rule::{Rule, RuleSet, Severity};
use crate::webhook::{Address, Secret};

/// Somebody who is told of alerts.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name in the settings.
    pub name: String,
    /// What it is told of.
    pub only: Only,
    /// Messages that it gets in an hour at most.
    pub per_hour: u32,
    /// How it is reached.
    pub channel: Channel,
}

/// How a receiver is reached.
#[derive(Clone, Debug)]
pub enum Channel {
    /// By messages signed as Standard Webhooks has it.
    Webhook(Box<SignedTarget>),
    /// By a webhook that takes texts as Slack's do.
    Slack(Address),
    /// By mail.
    Mail(Box<MailTarget>),
}

/// A receiver of signed webhooks.
#[derive(Clone, Debug)]
pub struct SignedTarget {
    /// Where it is.
    pub address: Address,
    /// What messages are signed with.
    pub secret: Secret,
}

impl Channel {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Mail(_) => "mail",
        }
    }
}

/// Which alerts are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The least severity.
    pub severity: Severity,
    /// Rules by their ids.
    pub rules: BTreeSet<String>,
    /// Rules by their tags.
    pub tags: BTreeSet<String>,
}

impl Default for Only {
    fn default() -> Self {
        Self {
            severity: Severity::Info,
            rules: BTreeSet::new(),
            tags: BTreeSet::new(),
        }
    }
}

impl Only {
    /// Whether alerts of a rule are told: those of its severity, and if rules or tags are named, of one that is named by either.
    pub fn covers(&self, rule: &Rule) -> bool {
        let is_any = self.rules.is_empty() && self.tags.is_empty();
        let is_named = self.rules.contains(&*rule.id) || rule.tags.iter().any(|tag| self.tags.contains(tag));
        rule.severity >= self.severity && (is_any || is_named)
    }
}

/// What `receivers` are to be told of and no rule is: they would wait for it for ever.
pub fn unknown_to(rules: &RuleSet, receivers: &[Receiver]) -> Vec<String> {
    let mut problems = Vec::new();
    for receiver in receivers {
        let at = format!("{}.{}", receiver.channel.as_str(), receiver.name);
        let rule_ids = receiver.only.rules.iter().filter(|id| rules.find(id).is_none());
        problems.extend(rule_ids.map(|id| format!("{at}: only.rules: there is no rule {id:?}")));
        let is_used = |tag: &str| {
            rules
                .rules()
                .iter()
                .any(|rule| rule.tags.iter().any(|used| used == tag))
        };
        let tags = receiver.only.tags.iter().filter(|tag| !is_used(tag));
        problems.extend(tags.map(|tag| format!("{at}: only.tags: no rule has the tag {tag:?}")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::DetectionSettings;

    #[test]
    fn a_rule_or_a_tag_that_nobody_knows_is_no_choice() {
        let rules = DetectionSettings::load("http://gatelog.test", None, None)
            .unwrap()
            .rules;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let receiver = Receiver {
            name: "desk".to_owned(),
            only: Only {
                rules: names(&["log-gap", "log-gaps"]),
                tags: names(&["attack.t1528", "attack.t9999"]),
                ..Only::default()
            },
            per_hour: 60,
            channel: Channel::Slack("https://hooks.test/x".parse().unwrap()),
        };

        assert_eq!(
            unknown_to(&rules, &[receiver]),
            [
                "slack.desk: only.rules: there is no rule \"log-gaps\"",
                "slack.desk: only.tags: no rule has the tag \"attack.t9999\""
            ]
        );
    }

    #[test]
    fn a_receiver_is_told_of_what_is_bad_enough_and_named_by_rule_or_tag() {
        let rules = DetectionSettings::load("http://gatelog.test", None, None)
            .unwrap()
            .rules;
        // Critical, and tagged `attack.t1528`.
        let reuse = rules.find("refresh-token-reuse").unwrap();
        let log_gap = rules.find("log-gap").unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let only = |severity, rules: &[&str], tags: &[&str]| Only {
            severity,
            rules: names(rules),
            tags: names(tags),
        };

        assert!(Only::default().covers(reuse) && Only::default().covers(log_gap));
        assert!(only(Severity::Critical, &[], &[]).covers(reuse));
        assert!(!only(Severity::Critical, &[], &[]).covers(log_gap));
        assert!(only(Severity::Low, &["log-gap"], &[]).covers(log_gap));
        assert!(!only(Severity::Low, &["log-gap"], &[]).covers(reuse));
        assert!(only(Severity::Low, &["log-gap"], &["attack.t1528"]).covers(reuse));
        assert!(!only(Severity::Critical, &["log-gap"], &[]).covers(log_gap));
    }
}
