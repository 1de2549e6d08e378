//! Whose life is asked for, and which part of it. Pure.

use shared::clock::UtcMicros;

use crate::search::{Cursor, Filter, InvalidParameter, Parameters};

const LIMIT_DEFAULT: u16 = 100;
const LIMIT_MAX: u16 = 500;

/// Whose life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A session's, with all of its tokens.
    Session(String),
    /// A token's, with the session around it.
    Token(String),
    /// A subject's: a user or a client.
    Sub(String),
}

impl Subject {
    /// The parameter that names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Session(_) => "sid",
            Self::Token(_) => "jti",
            Self::Sub(_) => "sub",
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Session(id) | Self::Token(id) | Self::Sub(id) => id,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Whose life.
    pub subject: Subject,
    /// In which period.
    pub(super) within: Filter,
    /// Events of a page at most.
    pub(super) limit: u16,
    /// Where the page before ended.
    pub(super) after: Option<Cursor>,
    /// What a cursor belongs to.
    pub(super) asked: Filter,
}

impl Timeline {
    /// Reads the query string of `GET /v1/timeline`.
    pub fn parse(query: &str, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let mut parameters = Parameters::parse(query)?;
        let limit = parameters
            .number("limit", 1..=LIMIT_MAX)?
            .unwrap_or(LIMIT_DEFAULT);
        let cursor = parameters.take("cursor");
        let asked = parameters.clone().filter(now)?;
        let named = [
            parameters.take("sid").map(Subject::Session),
            parameters.take("jti").map(Subject::Token),
            parameters.take("sub").map(Subject::Sub),
        ];
        let mut named = named.into_iter().flatten();
        let (Some(subject), None) = (named.next(), named.next()) else {
            return Err(InvalidParameter::new(
                "sid",
                "exactly one of `sid`, `jti` and `sub` is needed",
            ));
        };
        if let Some((other, _)) = parameters
            .given()
            .find(|(name, _)| !["from", "to"].contains(name))
        {
            return Err(InvalidParameter::new(other, "not taken here"));
        }
        let after = cursor.map(|text| Cursor::open(&text, &asked)).transpose();
        let after = after.map_err(|error| InvalidParameter::new("cursor", error.to_string()))?;
        Ok(Self {
            subject,
            within: parameters.filter(now)?,
            limit,
            after,
            asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_subject_is_asked_for() {
        let now = UtcMicros::from_seconds(1);
        for (query, parameter) in [
            ("", "sid"),
            ("sid=a&jti=b", "sid"),
            ("from=2026-01-15T00:00:00Z", "sid"),
            ("sid=a&outcome=denied", "outcome"),
            ("sid=a&limit=0", "limit"),
            ("sid=a&cursor=x", "cursor"),
            ("sid=a&from=x", "from"),
        ] {
            assert_eq!(
                Timeline::parse(query, now).unwrap_err().name,
                parameter,
                "{query}"
            );
        }
        let timeline = Timeline::parse("jti=a&from=2026-01-15T00:00:00Z", now).unwrap();
        assert_eq!(timeline.subject, Subject::Token("a".into()));
    }
}
