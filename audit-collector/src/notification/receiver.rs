//! Who is told, how, and of what. Pure.

use std::collections::BTreeSet;

use super::mail::MailTarget;
use crate::detection::rule::{Rule, Severity};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::DetectionSettings;

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
