//! Which format a log is in, and a line in it → what happened when. Pure.

use clap::ValueEnum;
use serde_json::{Map, Value};
use shared::clock::UtcMicros;
use shared::event::Facts;
use uuid::Uuid;

use super::{Flaw, common, json, own};

/// A format of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Common or Combined Log Format (Apache httpd, nginx).
    Common,
    /// JSON of nginx, with nginx' own names of variables.
    Nginx,
    /// JSON of Caddy.
    Caddy,
    /// JSON of Envoy.
    Envoy,
    /// Our own events, as they travel or as they are exported.
    Ndjson,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When it happened.
    pub time: UtcMicros,
    /// What happened.
    pub facts: Facts,
    /// The id that it had before, if it was an event.
    pub id: Option<Uuid>,
}

impl Format {
    /// The format that a line is in, if it is in any.
    pub fn of(line: &str) -> Option<Self> {
        if !line.trim_start().starts_with('{') {
            return common::parse(line).is_ok().then_some(Self::Common);
        }
        let line: Map<String, Value> = json::object(line).ok()?;
        let has = |name: &str| line.contains_key(name);
        if own::is_own(&line) {
            Some(Self::Ndjson)
        } else if has("start_time") && has("response_code") {
            Some(Self::Envoy)
        } else if has("ts") && line.get("request").is_some_and(Value::is_object) {
            Some(Self::Caddy)
        } else {
            json::nginx(&line).is_ok().then_some(Self::Nginx)
        }
    }

    /// Reads a line.
    pub fn parse(self, line: &str) -> Result<Told, Flaw> {
        let request = match self {
            Self::Common => common::parse(line)?,
            Self::Nginx => json::nginx(&json::object(line)?)?,
            Self::Caddy => json::caddy(&json::object(line)?)?,
            Self::Envoy => json::envoy(&json::object(line)?)?,
            Self::Ndjson => {
                let foreign = own::parse(line)?;
                return Ok(Told {
                    time: foreign.time,
                    facts: foreign.facts,
                    id: Some(foreign.id),
                });
            }
        };
        Ok(Told {
            time: request.time,
            facts: request.facts(),
            id: None,
        })
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Ndjson => "ndjson",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_format_is_told_from_the_others() {
        for (line, expected) in [
            (
                r#"::1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1"#,
                Some(Format::Common),
            ),
            (
                r#"{"msec":1,"request":"GET / HTTP/1.1","status":200}"#,
                Some(Format::Nginx),
            ),
            (
                r#"{"ts":1,"request":{"uri":"/"},"status":200}"#,
                Some(Format::Caddy),
            ),
            (
                r#"{"start_time":"2026-01-15T00:00:00Z","response_code":200,"path":"/"}"#,
                Some(Format::Envoy),
            ),
            (r#"{"specversion":"1.0"}"#, Some(Format::Ndjson)),
            (
                r#"{"class":"access","action":"api_request"}"#,
                Some(Format::Ndjson),
            ),
            (r#"{"level":"info","msg":"started"}"#, None),
            ("2026-01-15 started", None),
            ("", None),
        ] {
            assert_eq!(Format::of(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in r"[{\[]?.*") {
            let _: Option<Format> = Format::of(&line);
            for format in Format::value_variants() {
                drop(format.parse(&line));
            }
        }
    }
}
