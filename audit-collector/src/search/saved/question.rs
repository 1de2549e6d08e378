//! What a saved search asks, and whether it may. Pure.

use serde::{Deserialize, Deserializer, Serialize};
use shared::clock::UtcMicros;

use crate::search::{Filter, InvalidParameter, Period};

/// The longest name of a search, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// A name and what is searched for under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// What it is called; its owner has no other one of that name.
    pub(super) name: String,
    /// Which events, in the filter language. `last` counts from whenever it is asked.
    pub(super) q: String,
    /// The first moment of its period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<UtcMicros>,
    /// The first moment after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<UtcMicros>,
    /// Whether it is there for everybody.
    #[serde(default)]
    pub(super) shared: bool,
}

/// What is to become different about one; what is absent stays (RFC 7396).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    name: Option<String>,
    q: Option<String>,
    #[serde(default)]
    from: Bound,
    #[serde(default)]
    to: Bound,
    shared: Option<bool>,
}

/// What is to become of one end of a period.
#[derive(Clone, Copy, Debug, Default)]
enum Bound {
    /// It is not mentioned.
    #[default]
    Stays,
    /// It is that moment or, by null, open.
    Is(Option<UtcMicros>),
}

impl Bound {
    fn after(self, before: Option<UtcMicros>) -> Option<UtcMicros> {
        match self {
            Self::Stays => before,
            Self::Is(bound) => bound,
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Is)
    }
}

impl Question {
    /// The same if it can be asked; `now` is what `last` counts from.
    pub(super) fn checked(self, now: UtcMicros) -> Result<Self, InvalidParameter> {
        InvalidParameter::unless_text("name", &self.name, NAME_BYTES_MAX)?;
        if self.q.contains('\0') {
            return Err(InvalidParameter::new("q", "has a zero byte"));
        }
        Filter::parse(&self.q, now)?;
        let period = Period {
            from: self.from,
            to: self.to,
        };
        period.check()?;
        Ok(self)
    }

    /// The same after changes.
    pub(super) fn changed(self, changes: Changes) -> Self {
        Self {
            name: changes.name.unwrap_or(self.name),
            q: changes.q.unwrap_or(self.q),
            from: changes.from.after(self.from),
            to: changes.to.after(self.to),
            shared: changes.shared.unwrap_or(self.shared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn question(json: &str) -> Question {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_cannot_be_asked_is_named_with_its_place() {
        let long = "x".repeat(129);
        for (name, q, period, wrong, at) in [
            ("", "user:alice", "", "name", None),
            (" ", "user:alice", "", "name", None),
            (&*long, "user:alice", "", "name", None),
            ("a\\u0000", "user:alice", "", "name", None),
            ("a", "user:\\u0000", "", "q", None),
            ("a", "", "", "q", Some(0)),
            ("a", "user:alice stauts:401", "", "q", Some(11)),
            (
                "a",
                "user:alice",
                r#", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z""#,
                "to",
                None,
            ),
        ] {
            let question = question(&format!(r#"{{"name": "{name}", "q": "{q}"{period}}}"#));

            let error = question.checked(NOW).unwrap_err();

            assert_eq!((&*error.name, error.at), (wrong, at), "{name} {q}");
        }
    }

    #[test]
    fn what_is_absent_stays_and_null_takes_a_moment_away() {
        let before = question(
            r#"{"name": "a", "q": "user:a", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}"#,
        );
        let changes = r#"{"q": "user:b", "from": null, "shared": true}"#;

        let after = before.clone().changed(serde_json::from_str(changes).unwrap());

        let expected = Question {
            q: "user:b".to_owned(),
            from: None,
            shared: true,
            ..before
        };
        assert_eq!(after, expected);
    }
}
