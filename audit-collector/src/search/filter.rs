//! The query string → a typed search, or which parameter is wrong. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use shared::clock::UtcMicros;
use shared::event::{Class, Outcome};
use url::form_urlencoded;

use super::{Cursor, InvalidCursor};
use crate::event_log::{address_bytes, searchable};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;

/// The longest value of a parameter, in bytes: as long as a searchable column.
const VALUE_BYTES_MAX: usize = 1024;

/// The longest name that an error repeats, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What is searched for, and which page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What is searched for.
    pub filter: Filter,
    /// Events on a page at most.
    pub limit: u16,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// Which events are searched for: those that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    conditions: Vec<Condition>,
    given: BTreeMap<String, String>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// At or after that time.
    From(UtcMicros),
    /// Before that time.
    To(UtcMicros),
    /// Of the user with that subject or name.
    User(String),
    /// From that address.
    Address([u8; 16]),
    /// With that status.
    Status(u16),
    /// With exactly that text.
    Text(TextColumn, String),
}

/// A column that is compared with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextColumn {
    Sub,
    Sid,
    Jti,
    Route,
    Template,
    Path,
    Outcome,
    Action,
    Class,
    Reason,
    RequestId,
    Service,
}

/// A parameter that is unknown, repeated or not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}`: {problem}")]
pub struct InvalidParameter {
    /// Its name, cut to length.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl InvalidParameter {
    fn new(name: &str, problem: impl Into<String>) -> Self {
        Self {
            name: shared::event::bounded(name, NAME_BYTES_MAX),
            problem: problem.into(),
        }
    }
}

impl Search {
    /// Reads the query string of `GET /v1/events`.
    pub fn parse(query: &str) -> Result<Self, InvalidParameter> {
        let mut parameters = parameters(query)?;
        let limit = match parameters.remove("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| {
                    InvalidParameter::new("limit", format!("not a number from 1 to {LIMIT_MAX}"))
                })?,
        };
        let cursor = parameters.remove("cursor");
        let filter = Filter::of(parameters)?;
        let opened = cursor.map(|text| Cursor::open(&text, &filter)).transpose();
        let after =
            opened.map_err(|error: InvalidCursor| InvalidParameter::new("cursor", error.to_string()))?;
        Ok(Self { filter, limit, after })
    }
}

impl Filter {
    fn of(given: BTreeMap<String, String>) -> Result<Self, InvalidParameter> {
        let conditions = given.iter().map(|(name, value)| condition(name, value));
        let conditions: Vec<_> = conditions.collect::<Result<_, _>>()?;
        check_period(&given)?;
        Ok(Self { conditions, given })
    }

    /// The conditions, ordered by the names of their parameters.
    pub(super) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The parameters as they were given, ordered by name.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A period of time, open at either end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub from: Option<UtcMicros>,
    /// The first moment after it.
    pub to: Option<UtcMicros>,
}

impl Period {
    /// Reads a query string that holds nothing but `from` and `to`.
    pub fn parse(query: &str) -> Result<Self, InvalidParameter> {
        let parameters = parameters(query)?;
        let mut period = Self::default();
        for (name, value) in &parameters {
            match name.as_str() {
                "from" => period.from = Some(time(name, value)?),
                "to" => period.to = Some(time(name, value)?),
                _ => return Err(InvalidParameter::new(name, "unknown")),
            }
        }
        check_period(&parameters)?;
        Ok(period)
    }
}

/// The parameters of a query string; each may stand in it once and is not empty.
fn parameters(query: &str) -> Result<BTreeMap<String, String>, InvalidParameter> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.is_empty() {
            return Err(InvalidParameter::new(&name, "empty"));
        }
        if value.len() > VALUE_BYTES_MAX {
            let problem = format!("longer than {VALUE_BYTES_MAX} bytes");
            return Err(InvalidParameter::new(&name, problem));
        }
        if parameters
            .insert(name.clone().into_owned(), value.into_owned())
            .is_some()
        {
            return Err(InvalidParameter::new(&name, "given more than once"));
        }
    }
    Ok(parameters)
}

fn condition(name: &str, value: &str) -> Result<Condition, InvalidParameter> {
    let text = |column| Ok(Condition::Text(column, searchable(value)));
    let word = |column, words: &[&str]| {
        if words.contains(&value) {
            return Ok(Condition::Text(column, value.to_owned()));
        }
        let problem = format!("not one of {}", words.join(", "));
        Err(InvalidParameter::new(name, problem))
    };
    match name {
        "from" => time(name, value).map(Condition::From),
        "to" => time(name, value).map(Condition::To),
        "user" => Ok(Condition::User(searchable(value))),
        "sub" => text(TextColumn::Sub),
        "sid" => text(TextColumn::Sid),
        "jti" => text(TextColumn::Jti),
        "ip" => match value.parse::<IpAddr>() {
            Ok(address) => Ok(Condition::Address(address_bytes(address))),
            Err(_) => Err(InvalidParameter::new(name, "not an IP address")),
        },
        // Templates begin with a slash, names of routes do not.
        "route" if value.starts_with('/') => text(TextColumn::Template),
        "route" => text(TextColumn::Route),
        "path" => text(TextColumn::Path),
        "outcome" => word(TextColumn::Outcome, &Outcome::ALL.map(Outcome::as_str)),
        "class" => word(TextColumn::Class, &Class::ALL.map(Class::as_str)),
        "action" => text(TextColumn::Action),
        "reason" => text(TextColumn::Reason),
        "request_id" => text(TextColumn::RequestId),
        "service" => text(TextColumn::Service),
        "status" => value
            .parse()
            .ok()
            .filter(|status| (100..1000).contains(status))
            .map(Condition::Status)
            .ok_or_else(|| InvalidParameter::new(name, "not a status from 100 to 999")),
        _ => Err(InvalidParameter::new(name, "unknown")),
    }
}

fn time(name: &str, value: &str) -> Result<UtcMicros, InvalidParameter> {
    let example = "not a time with a zone, such as 2026-01-31T12:00:00Z (a `+` is written %2B)";
    value.parse().map_err(|_| InvalidParameter::new(name, example))
}

/// A period that ends before it begins is a mistake and not a question without answers.
fn check_period(given: &BTreeMap<String, String>) -> Result<(), InvalidParameter> {
    let moment = |name: &str| given.get(name)?.parse::<UtcMicros>().ok();
    match (moment("from"), moment("to")) {
        (Some(from), Some(to)) if to <= from => Err(InvalidParameter::new("to", "not after `from`")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(query: &str) -> String {
        Search::parse(query).unwrap_err().name
    }

    #[test]
    fn nothing_given_is_everything_fifty_at_a_time() {
        let search = Search::parse("").unwrap();

        assert_eq!(search.limit, 50);
        assert!(search.filter.conditions().is_empty());
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, name) in [
            ("usr=alice", "usr"),
            ("sub=a&sub=b", "sub"),
            ("sub=", "sub"),
            ("from=yesterday", "from"),
            ("from=2026-01-31T12:00:00", "from"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("ip=300.1.1.1", "ip"),
            ("outcome=maybe", "outcome"),
            ("class=none", "class"),
            ("status=abc", "status"),
            ("status=42", "status"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=-1", "limit"),
            ("cursor=abc", "cursor"),
        ] {
            assert_eq!(wrong(query), name, "{query}");
        }
        assert_eq!(wrong(&format!("path={}", "x".repeat(1025))), "path");
    }

    #[test]
    fn a_route_is_a_name_or_a_template() {
        let column = |query: &str| match Search::parse(query).unwrap().filter.conditions() {
            [Condition::Text(column, _)] => *column,
            other => panic!("{other:?}"),
        };

        assert_eq!(column("route=read-order"), TextColumn::Route);
        assert_eq!(column("route=%2Forders%2F%7Bid%7D"), TextColumn::Template);
    }

    #[test]
    fn a_value_is_searched_for_in_the_form_of_its_column() {
        let search = Search::parse("sub=a%00b").unwrap();

        let expected = Condition::Text(TextColumn::Sub, "a\u{fffd}b".into());
        assert_eq!(search.filter.conditions(), [expected]);
    }

    proptest! {
        #[test]
        fn no_query_is_too_strange(query in ".*") {
            drop(Search::parse(&query));
            drop(Period::parse(&query));
        }

        #[test]
        fn every_text_can_be_searched_for(value in ".{1,200}") {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("sub", &value).finish();

            let search = Search::parse(&query).unwrap();

            let given: Vec<_> = search.filter.given().collect();
            prop_assert_eq!(given, [("sub", value.as_str())]);
        }
    }
}
