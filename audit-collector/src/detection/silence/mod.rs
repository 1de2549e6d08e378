//! Silences: alerts that are to be told to nobody for a while, and why. Those that people add while the collector runs; those of
//! the operator's file are [`Suppression`]s as well.

pub(super) mod handler;
pub(super) mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::event_id;
use uuid::Uuid;

use super::rule::Suppression;
use crate::search::InvalidParameter;

/// Silences in force at a time: each is asked about each finding.
const SILENCES_MAX: i64 = 200;

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 256;

/// The longest value of a group, in bytes.
const VALUE_BYTES_MAX: usize = 256;

/// The shortest and the longest silence, in seconds: a minute, and thirty days. What should be silent for good belongs into a
/// rule or its file, where somebody reviews it.
const SECONDS: std::ops::RangeInclusive<u64> = 60..=2_592_000;

/// A silence that somebody has added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Silence {
    /// Its id.
    pub(super) id: Uuid,
    /// What it silences, until when and why.
    #[serde(flatten)]
    pub(super) what: Suppression,
    /// Who added it.
    pub(super) made_by: String,
    /// When.
    pub(super) made_at: UtcMicros,
    /// Who ended it before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_by: Option<String>,
}

/// A silence to be added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSilence {
    rule: Option<String>,
    value: Option<String>,
    reason: String,
    seconds: u64,
}

impl NewSilence {
    /// The silence that `made_by` adds at `now`. `is_rule` knows the ids of rules.
    fn made(
        self,
        made_by: &str,
        now: UtcMicros,
        is_rule: impl Fn(&str) -> bool,
    ) -> Result<Silence, InvalidParameter> {
        if self.rule.is_none() && self.value.is_none() {
            return Err(InvalidParameter::new(
                "rule",
                "missing, and `value` too: one of them says what is silenced",
            ));
        }
        if self.rule.as_deref().is_some_and(|rule| !is_rule(rule)) {
            return Err(InvalidParameter::new("rule", "there is no rule with this id"));
        }
        if let Some(value) = &self.value {
            InvalidParameter::unless_text("value", value, VALUE_BYTES_MAX)?;
        }
        InvalidParameter::unless_text("reason", &self.reason, REASON_BYTES_MAX)?;
        if !SECONDS.contains(&self.seconds) {
            let problem = format!("not from {} to {}", SECONDS.start(), SECONDS.end());
            return Err(InvalidParameter::new("seconds", problem));
        }
        Ok(Silence {
            id: event_id(now),
            what: Suppression {
                rule: self.rule,
                value: self.value,
                reason: self.reason,
                until: now.plus(Duration::from_secs(self.seconds)),
            },
            made_by: made_by.to_owned(),
            made_at: now,
            ended_by: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn made(json: &str) -> Result<Silence, InvalidParameter> {
        let new: NewSilence = serde_json::from_str(json).unwrap();
        new.made("usr_a", NOW, |rule| rule == "log-gap")
    }

    #[test]
    fn a_silence_ends_by_itself() {
        let silence = made(r#"{"rule": "log-gap", "reason": "a test", "seconds": 60}"#).unwrap();

        assert!(silence.what.covers("log-gap", &[], NOW));
        assert!(
            !silence
                .what
                .covers("log-gap", &[], NOW.plus(Duration::from_mins(1)))
        );
    }

    #[test]
    fn what_cannot_be_silenced_is_named() {
        let long = "x".repeat(257);
        for (json, wrong) in [
            (r#"{"reason": "a", "seconds": 60}"#.to_owned(), "rule"),
            (
                r#"{"rule": "no-such", "reason": "a", "seconds": 60}"#.to_owned(),
                "rule",
            ),
            (
                r#"{"value": " ", "reason": "a", "seconds": 60}"#.to_owned(),
                "value",
            ),
            (
                format!(r#"{{"value": "{long}", "reason": "a", "seconds": 60}}"#),
                "value",
            ),
            (
                r#"{"value": "a", "reason": "", "seconds": 60}"#.to_owned(),
                "reason",
            ),
            (
                r#"{"value": "a", "reason": "a", "seconds": 59}"#.to_owned(),
                "seconds",
            ),
            (
                r#"{"value": "a", "reason": "a", "seconds": 2592001}"#.to_owned(),
                "seconds",
            ),
        ] {
            assert_eq!(&*made(&json).unwrap_err().name, wrong, "{json}");
        }
    }
}
