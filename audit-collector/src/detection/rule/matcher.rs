//! One line of a selection: a field with modifiers, and the values that it may have. Pure.
//!
//! The words are Sigma's (specification 2.1, appendix "modifiers"). Texts are compared without regard to ASCII case unless the
//! modifier `cased` is given; `*` and `?` stand for any characters and for one.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use super::disguise::disguised;
use super::lists::Lists;
use crate::detection::field::{Field, Seen, Value};

/// What a compiled pattern may take in memory, in bytes: rules are read from files that people write.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Values of one line at most.
const VALUES_MAX: usize = 10_000;

/// A line of a selection.
#[derive(Clone, Debug)]
pub struct Matcher {
    field: Field,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    /// Whether the field has a value at all.
    Exists(bool),
    /// One of these must match.
    Any(Vec<Match>),
    /// Each of these must match.
    All(Vec<Match>),
}

#[derive(Clone, Debug)]
pub(super) enum Match {
    Text { text: String, cased: bool },
    Pattern(Regex),
    Network(IpNet),
    Number(f64),
    Compare(Comparison, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// How texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Plain,
    Contains,
    StartsWith,
    EndsWith,
    Expression,
    Network,
    Compare(Comparison),
    Exists,
}

/// Why a line is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMatcher {
    /// The field.
    #[error("there is no field {0:?}")]
    Field(String),
    /// The modifier.
    #[error(
        "there is no modifier {0:?}; there are contains, startswith, endswith, re, cidr, gt, gte, lt, lte, exists, all, cased, expand"
    )]
    Modifier(String),
    /// Two modifiers that exclude each other.
    #[error("the modifier {0:?} does not go with the others")]
    Clash(String),
    /// The value.
    #[error("the value {value} {problem}")]
    Value {
        /// As written.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The list.
    #[error("there is no list {0:?}; lists stand in lists.yaml of the rules' folder")]
    List(String),
    /// No or too many values.
    #[error("a line has from 1 to {VALUES_MAX} values")]
    Count,
}

impl Matcher {
    /// The matcher for `key`, a field with modifiers, and its values.
    pub fn compile(key: &str, values: &Json, lists: &Lists) -> Result<Self, InvalidMatcher> {
        let mut parts = key.split('|');
        let name = parts.next().unwrap_or_default();
        let field = Field::parse(name).ok_or_else(|| InvalidMatcher::Field(name.to_owned()))?;
        let modifiers = Modifiers::parse(parts)?;
        let values = match values {
            Json::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        let values = if modifiers.expand {
            lists.expand(&values)?
        } else {
            values
        };
        if let [Json::Null] = values.as_slice() {
            return Ok(Self {
                field,
                test: Test::Exists(false),
            });
        }
        if modifiers.reading == Reading::Exists {
            let [Json::Bool(exists)] = values.as_slice() else {
                return Err(wrong(&values, "is neither true nor false"));
            };
            return Ok(Self {
                field,
                test: Test::Exists(*exists),
            });
        }
        // A list of the operator's may be empty: then nothing matches.
        if values.len() > VALUES_MAX || (values.is_empty() && !modifiers.expand) {
            return Err(InvalidMatcher::Count);
        }
        let matches = values.iter().map(|value| modifiers.compile(value));
        let mut matches = matches.collect::<Result<Vec<_>, _>>()?;
        if let Some(pseudonyms) = &lists.pseudonyms
            && !modifiers.all
        {
            matches.extend(disguised(&field, &matches, pseudonyms));
        }
        Ok(Self {
            field,
            test: if modifiers.all {
                Test::All(matches)
            } else {
                Test::Any(matches)
            },
        })
    }

    /// Whether an event has it.
    pub fn matches(&self, seen: &Seen<'_>) -> bool {
        let has = |wanted: &Match| self.field.any(seen, |value| wanted.is(&value));
        match &self.test {
            Test::Exists(wanted) => self.field.any(seen, |_| true) == *wanted,
            Test::Any(matches) => matches.iter().any(has),
            Test::All(matches) => matches.iter().all(has),
        }
    }

    /// The field that is looked at.
    pub const fn field(&self) -> &Field {
        &self.field
    }
}

#[derive(Clone, Copy, Debug)]
struct Modifiers {
    reading: Reading,
    all: bool,
    cased: bool,
    expand: bool,
}

impl Modifiers {
    fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, InvalidMatcher> {
        let mut modifiers = Self {
            reading: Reading::Plain,
            all: false,
            cased: false,
            expand: false,
        };
        for name in names {
            let reading = match name {
                "all" => {
                    modifiers.all = true;
                    continue;
                }
                "cased" => {
                    modifiers.cased = true;
                    continue;
                }
                "expand" => {
                    modifiers.expand = true;
                    continue;
                }
                "contains" => Reading::Contains,
                "startswith" => Reading::StartsWith,
                "endswith" => Reading::EndsWith,
                "re" => Reading::Expression,
                "cidr" => Reading::Network,
                "lt" => Reading::Compare(Comparison::Less),
                "lte" => Reading::Compare(Comparison::AtMost),
                "gt" => Reading::Compare(Comparison::Greater),
                "gte" => Reading::Compare(Comparison::AtLeast),
                "exists" => Reading::Exists,
                unknown => return Err(InvalidMatcher::Modifier(unknown.to_owned())),
            };
            if modifiers.reading != Reading::Plain {
                return Err(InvalidMatcher::Clash(name.to_owned()));
            }
            modifiers.reading = reading;
        }
        Ok(modifiers)
    }

    fn compile(self, value: &Json) -> Result<Match, InvalidMatcher> {
        let bad = |problem: &str| wrong(std::slice::from_ref(value), problem);
        if let Reading::Compare(comparison) = self.reading {
            let number = value.as_f64().ok_or_else(|| bad("is no number"))?;
            return Ok(Match::Compare(comparison, number));
        }
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Bool(truth) => truth.to_string(),
            Json::Number(number) if self.reading == Reading::Plain => {
                return number
                    .as_f64()
                    .map(Match::Number)
                    .ok_or_else(|| bad("is no number"));
            }
            Json::Number(number) => number.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return Err(bad("is neither text, number nor truth value"));
            }
        };
        match self.reading {
            Reading::Network => {
                let network = text
                    .parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                Ok(Match::Network(
                    network.map_err(|_| bad("is no network such as 192.0.2.0/24"))?,
                ))
            }
            Reading::Expression => self.pattern(&text).map_err(|error| bad(&last_line(&error))),
            Reading::Plain if !text.contains(['*', '?', '\\']) => Ok(Match::Text {
                text,
                cased: self.cased,
            }),
            reading => {
                let (before, after) = match reading {
                    Reading::Contains => ("", ""),
                    Reading::StartsWith => ("^", ""),
                    Reading::EndsWith => ("", "$"),
                    _ => ("^", "$"),
                };
                let pattern = format!("(?s){before}{}{after}", with_wildcards(&text));
                self.pattern(&pattern).map_err(|error| bad(&last_line(&error)))
            }
        }
    }

    /// Sigma's expressions know case, its other texts do not.
    fn pattern(self, pattern: &str) -> Result<Match, regex::Error> {
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(!self.cased && self.reading != Reading::Expression)
            .size_limit(PATTERN_BYTES_MAX)
            .build()?;
        Ok(Match::Pattern(regex))
    }
}

/// A text with Sigma's wildcards as an expression; a backslash takes a wildcard its meaning.
fn with_wildcards(text: &str) -> String {
    let mut pattern = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let plain = match character {
            '*' => {
                pattern.push_str(".*");
                continue;
            }
            '?' => {
                pattern.push('.');
                continue;
            }
            '\\' => characters
                .next_if(|next| matches!(next, '*' | '?' | '\\'))
                .unwrap_or('\\'),
            character => character,
        };
        pattern.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4])));
    }
    pattern
}

impl Match {
    fn is(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Text { text, cased: true }, Value::Text(value)) => text == value,
            (Self::Text { text, cased: false }, Value::Text(value)) => text.eq_ignore_ascii_case(value),
            (Self::Pattern(pattern), Value::Text(value)) => pattern.is_match(value),
            (Self::Pattern(pattern), Value::Number(value)) => pattern.is_match(&value.to_string()),
            (Self::Network(network), Value::Text(value)) => value
                .parse::<IpAddr>()
                .is_ok_and(|address| network.contains(&address.to_canonical())),
            (Self::Number(number), Value::Number(value)) => (number - value).abs() < f64::EPSILON,
            (Self::Number(number), Value::Text(value)) => number.to_string() == *value,
            (Self::Compare(comparison, number), Value::Number(value)) => comparison.holds(*value, *number),
            (Self::Text { text, .. }, Value::Number(value)) => *text == value.to_string(),
            (Self::Network(_), Value::Number(_)) | (Self::Compare(..), Value::Text(_)) => false,
        }
    }
}

impl Comparison {
    fn holds(self, value: f64, number: f64) -> bool {
        match self {
            Self::Less => value < number,
            Self::AtMost => value <= number,
            Self::Greater => value > number,
            Self::AtLeast => value >= number,
        }
    }
}

fn wrong(values: &[Json], problem: &str) -> InvalidMatcher {
    let value = match values {
        [value] => value.to_string(),
        values => Json::from(values.to_vec()).to_string(),
    };
    InvalidMatcher::Value {
        value,
        problem: problem.to_owned(),
    }
}

/// The library's errors draw the expression over many lines; the last says what is wrong.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("is no expression: {}", last.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::clock::UtcMicros;
    use shared::event::{Class, ClientFacts, Draft, Facts, HttpFacts, Outcome, Source};
    use uuid::Uuid;

    use super::*;

    fn matches(key: &str, values: &Json) -> bool {
        let mut facts = Facts::new(Class::Access, "api_request", Outcome::Denied).because("token_expired");
        facts.actor.roles = vec!["reader".into(), "admin".into()];
        facts.client = Some(ClientFacts {
            ip: Some("10.1.2.3".into()),
            ..ClientFacts::default()
        });
        facts.http = Some(HttpFacts {
            path: "/Orders/17*".into(),
            status: Some(401),
            ..HttpFacts::default()
        });
        let source = Source {
            service: "api-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        let event = Draft::new(UtcMicros::from_seconds(0), facts).numbered(source, 1);
        let seen = Seen {
            event: &event,
            at: event.time,
            place: None,
        };
        let lists = Lists::of([("offices", vec!["10.0.0.0/8"]), ("none", vec![])]);
        Matcher::compile(key, values, &lists).unwrap().matches(&seen)
    }

    #[test]
    fn each_modifier_means_what_sigma_says() {
        for (key, values, expected) in [
            ("reason", json!("TOKEN_EXPIRED"), true),
            ("reason|cased", json!("TOKEN_EXPIRED"), false),
            ("reason", json!("token_*"), true),
            ("reason", json!("token_?xpired"), true),
            ("reason", json!("token"), false),
            ("reason", json!(["a", "token_expired"]), true),
            ("reason|contains", json!("_exp"), true),
            ("reason|contains|all", json!(["token", "exp"]), true),
            ("reason|contains|all", json!(["token", "none"]), false),
            ("reason|startswith", json!("expired"), false),
            ("reason|endswith", json!("expired"), true),
            ("reason|re", json!("^token_(expired|revoked)$"), true),
            ("reason|re", json!("^TOKEN"), false),
            ("http.path", json!(r"/orders/17\*"), true),
            ("http.path", json!(r"/orders/1\*"), false),
            ("http.status", json!(401), true),
            ("http.status|gte", json!(401), true),
            ("http.status|gt", json!(401), false),
            ("http.status|lt", json!(402), true),
            ("http.status|lte", json!(400), false),
            ("http.status|startswith", json!(4), true),
            ("client.ip|cidr", json!(["192.0.2.0/24", "10.0.0.0/8"]), true),
            ("client.ip|cidr", json!("10.1.2.4"), false),
            ("client.ip|cidr|expand", json!("%offices%"), true),
            ("client.ip|cidr|expand", json!("%none%"), false),
            ("actor.roles", json!("admin"), true),
            ("actor.sub", Json::Null, true),
            ("reason", Json::Null, false),
            ("actor.sub|exists", json!(false), true),
            ("reason|exists", json!(true), true),
        ] {
            assert_eq!(matches(key, &values), expected, "{key}: {values}");
        }
    }

    #[test]
    fn a_line_that_means_nothing_says_why() {
        for (key, values, problem) in [
            ("reasons", json!("a"), "there is no field \"reasons\""),
            ("reason|like", json!("a"), "there is no modifier \"like\""),
            ("reason|re|cidr", json!("a"), "does not go with the others"),
            ("reason|re", json!("("), "unclosed group"),
            ("reason|re", json!("(a{999}){999}"), "size limit"),
            ("client.ip|cidr", json!("10.0.0.0/99"), "is no network"),
            ("http.status|gte", json!("many"), "is no number"),
            ("reason|exists", json!("maybe"), "is neither true nor false"),
            ("reason", json!({"a": 1}), "is neither text"),
            ("reason", json!([]), "from 1 to"),
            ("reason|expand", json!("%nobody%"), "there is no list \"nobody\""),
        ] {
            let error = Matcher::compile(key, &values, &Lists::default()).unwrap_err();

            assert!(error.to_string().contains(problem), "{key}: {error}");
        }
    }
}
