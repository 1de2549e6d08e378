//! How an alert stands with the people who look after it, and what they may change. Pure.

use serde::{Deserialize, Deserializer, Serialize};

/// The longest name of an assignee, in bytes.
const ASSIGNEE_BYTES_MAX: usize = 128;

/// How far an alert has been dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has looked at it.
    #[default]
    Open,
    /// Somebody is at it.
    Acknowledged,
    /// It is done with, and judged.
    Closed,
}

impl AlertStatus {
    /// Every status by its word.
    pub(crate) const WORDS: [(&'static str, Self); 3] = [
        ("open", Self::Open),
        ("acknowledged", Self::Acknowledged),
        ("closed", Self::Closed),
    ];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// What an alert turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What the rule looks for.
    True,
    /// Not what the rule looks for.
    False,
    /// What the rule looks for, and meant well: a test, a migration.
    Benign,
}

impl Verdict {
    /// Every verdict by its word.
    pub(crate) const WORDS: [(&'static str, Self); 3] = [
        ("true", Self::True),
        ("false", Self::False),
        ("benign", Self::Benign),
    ];

    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Benign => "benign",
        }
    }
}

/// How an alert stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::alert) struct Standing {
    pub(in crate::alert) status: AlertStatus,
    pub(in crate::alert) verdict: Option<Verdict>,
    pub(in crate::alert) assignee: Option<String>,
}

/// What is to be changed; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    status: Option<AlertStatus>,
    verdict: Option<Verdict>,
    #[serde(default)]
    assignee: Assigning,
}

/// Absent is something else than null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Assigning {
    #[default]
    Unchanged,
    To(Option<String>),
}

impl<'de> Deserialize<'de> for Assigning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::To)
    }
}

/// Why an alert cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidChange {
    #[error("name what is to be changed: `status`, `verdict` or `assignee`")]
    Nothing,
    #[error("an alert is closed with a verdict: `true`, `false` or `benign`")]
    VerdictMissing,
    #[error("only a closed alert has a verdict")]
    VerdictEarly,
    #[error("an assignee is a name of 1 to {ASSIGNEE_BYTES_MAX} bytes without control characters, or null")]
    Assignee,
    #[error("a closed alert is first opened again")]
    Closed,
}

impl Standing {
    /// The standing after `change`.
    pub(super) fn after(&self, change: &Change) -> Result<Self, InvalidChange> {
        if change.status.is_none() && change.verdict.is_none() && change.assignee == Assigning::Unchanged {
            return Err(InvalidChange::Nothing);
        }
        let status = change.status.unwrap_or(self.status);
        if self.status == AlertStatus::Closed && status == AlertStatus::Acknowledged {
            return Err(InvalidChange::Closed);
        }
        let verdict = match (status, change.verdict.or(self.verdict)) {
            (AlertStatus::Closed, None) => return Err(InvalidChange::VerdictMissing),
            (AlertStatus::Closed, verdict) => verdict,
            _ if change.verdict.is_some() => return Err(InvalidChange::VerdictEarly),
            // Whoever opens an alert again takes its verdict back.
            _ => None,
        };
        let assignee = match &change.assignee {
            Assigning::Unchanged => self.assignee.clone(),
            Assigning::To(Some(name)) if !is_name(name) => return Err(InvalidChange::Assignee),
            Assigning::To(assignee) => assignee.clone(),
        };
        Ok(Self {
            status,
            verdict,
            assignee,
        })
    }
}

fn is_name(name: &str) -> bool {
    (1..=ASSIGNEE_BYTES_MAX).contains(&name.len())
        && !name.trim().is_empty()
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(standing: &Standing, change: &str) -> Result<Standing, InvalidChange> {
        standing.after(&serde_json::from_str(change).unwrap())
    }

    #[test]
    fn an_alert_is_acknowledged_closed_with_a_verdict_judged_anew_and_opened_again() {
        let taken = after(
            &Standing::default(),
            r#"{"status": "acknowledged", "assignee": "alice"}"#,
        )
        .unwrap();
        assert_eq!(taken.assignee.as_deref(), Some("alice"));
        let closed = after(&taken, r#"{"status": "closed", "verdict": "true"}"#).unwrap();
        assert_eq!(
            (closed.verdict, closed.assignee.as_deref()),
            (Some(Verdict::True), Some("alice"))
        );
        let judged = after(&closed, r#"{"verdict": "benign"}"#).unwrap();
        assert_eq!(judged.verdict, Some(Verdict::Benign));
        let opened = after(&judged, r#"{"status": "open", "assignee": null}"#).unwrap();
        assert_eq!(opened, Standing::default());
    }

    #[test]
    fn changes_that_make_no_sense_are_refused() {
        let open = Standing::default();
        let closed = after(&open, r#"{"status": "closed", "verdict": "false"}"#).unwrap();
        for (standing, change, refusal) in [
            (&open, "{}", InvalidChange::Nothing),
            (&open, r#"{"status": "closed"}"#, InvalidChange::VerdictMissing),
            (&open, r#"{"verdict": "true"}"#, InvalidChange::VerdictEarly),
            (
                &closed,
                r#"{"status": "open", "verdict": "true"}"#,
                InvalidChange::VerdictEarly,
            ),
            (&closed, r#"{"status": "acknowledged"}"#, InvalidChange::Closed),
            (&open, r#"{"assignee": ""}"#, InvalidChange::Assignee),
            (&open, r#"{"assignee": "a\u0000b"}"#, InvalidChange::Assignee),
        ] {
            assert_eq!(after(standing, change), Err(refusal), "{change}");
        }
    }

    #[test]
    fn words_are_those_of_the_wire() {
        for (word, status) in AlertStatus::WORDS {
            assert_eq!((status.as_str(), serde_json::json!(status)), (word, word.into()));
        }
        for (word, verdict) in Verdict::WORDS {
            assert_eq!(
                (verdict.as_str(), serde_json::json!(verdict)),
                (word, word.into())
            );
        }
    }
}
