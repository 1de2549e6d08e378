//! The query string → a typed search, or which parameter is wrong and where. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use shared::clock::UtcMicros;
use shared::http::problem::Place;
use url::form_urlencoded;

use super::{Cursor, Filter, InvalidCursor, InvalidFilter};
use crate::access::is_text;

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;

/// The longest value of a parameter, in bytes: as long as a searchable column.
const VALUE_BYTES_MAX: usize = 1024;

/// Parameters that hold a filter, and how long one may be, in bytes.
const FILTERS: [&str; 2] = ["q", "of"];
const FILTER_BYTES_MAX: usize = 2048;

/// The longest names and values of a query string in all, in bytes: the record of a read tells them whole, and is an event, which has
/// 64 KiB at most. JSON makes six bytes of one at the worst.
const BYTES_MAX: usize = 8 * 1024;

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

/// A parameter that is unknown, repeated or not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}`: {problem}")]
pub struct InvalidParameter {
    /// Its name, cut to length.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
    /// Where in its value, in characters from 0 on, if that can be told.
    pub at: Option<usize>,
}

impl InvalidParameter {
    pub(crate) fn new(name: &str, problem: impl Into<String>) -> Self {
        Self {
            name: shared::event::bounded(name, NAME_BYTES_MAX),
            problem: problem.into(),
            at: None,
        }
    }

    /// Refuses what is no text of at most so many bytes that can be kept.
    pub(crate) fn unless_text(name: &str, text: &str, bytes_max: usize) -> Result<(), Self> {
        if is_text(text, bytes_max) {
            return Ok(());
        }
        Err(Self::new(name, format!("not a text of 1 to {bytes_max} bytes")))
    }

    /// Where it is, for programs.
    pub(crate) fn place(&self) -> Place {
        Place {
            parameter: self.name.clone(),
            at: self.at,
        }
    }
}

impl From<InvalidFilter> for InvalidParameter {
    fn from(error: InvalidFilter) -> Self {
        Self {
            at: Some(error.at),
            ..Self::new("q", error.to_string())
        }
    }
}

/// The parameters of a query string, taken one by one: each may stand in it once and is not empty.
#[derive(Clone, Debug)]
pub struct Parameters(BTreeMap<String, String>);

impl Search {
    /// Reads the query string of `GET /v1/events`; `now` is what `last` counts from.
    pub fn parse(query: &str, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let mut parameters = Parameters::parse(query)?;
        let limit = parameters
            .number("limit", 1..=LIMIT_MAX)?
            .unwrap_or(LIMIT_DEFAULT);
        let cursor = parameters.take("cursor");
        let filter = parameters.filter(now)?;
        let opened = cursor.map(|text| Cursor::open(&text, &filter)).transpose();
        let after =
            opened.map_err(|error: InvalidCursor| InvalidParameter::new("cursor", error.to_string()))?;
        Ok(Self { filter, limit, after })
    }
}

impl Parameters {
    /// Reads a query string.
    pub fn parse(query: &str) -> Result<Self, InvalidParameter> {
        Self::with_empty(query, "")
    }

    /// Reads one in which that parameter may be empty.
    pub(crate) fn with_empty(query: &str, may_be_empty: &str) -> Result<Self, InvalidParameter> {
        let mut parameters = BTreeMap::new();
        let mut bytes = 0;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let bytes_max = if FILTERS.contains(&&*name) {
                FILTER_BYTES_MAX
            } else {
                VALUE_BYTES_MAX
            };
            if value.is_empty() && name != may_be_empty {
                return Err(InvalidParameter::new(&name, "empty"));
            }
            if value.len() > bytes_max {
                return Err(InvalidParameter::new(
                    &name,
                    format!("longer than {bytes_max} bytes"),
                ));
            }
            bytes += name.len() + value.len();
            if bytes > BYTES_MAX {
                let problem = format!("with the others, longer than {BYTES_MAX} bytes in all");
                return Err(InvalidParameter::new(&name, problem));
            }
            // PostgreSQL holds no NUL: what has one is kept, and searched for, like this.
            let value = value.replace('\0', "\u{fffd}");
            if parameters.insert(name.clone().into_owned(), value).is_some() {
                return Err(InvalidParameter::new(&name, "given more than once"));
            }
        }
        Ok(Self(parameters))
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a number out that must be in that range.
    pub(crate) fn number<T>(
        &mut self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, InvalidParameter>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let problem = format!("not a number from {} to {}", range.start(), range.end());
            InvalidParameter::new(name, problem)
        })
    }

    /// Takes out what `parse` makes of a parameter; `problem` says what is wrong with it if that is nothing.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        problem: &str,
    ) -> Result<Option<T>, InvalidParameter> {
        let parsed = self.take(name).map(|text| parse(&text));
        let wrong = || InvalidParameter::new(name, problem);
        parsed.map(|value| value.ok_or_else(wrong)).transpose()
    }

    /// Takes a word out that must be one of these.
    pub(crate) fn word(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, InvalidParameter> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let word = words.iter().copied().find(|word| *word == text);
        let problem = || InvalidParameter::new(name, format!("one of {}", words.join(", ")));
        word.map(Some).ok_or_else(problem)
    }

    /// Takes a filter out that is in the filter language.
    pub(crate) fn nested(&mut self, name: &str, now: UtcMicros) -> Result<Option<Filter>, InvalidParameter> {
        let filter = self.take(name).map(|text| Filter::parse(&text, now)).transpose();
        filter.map_err(|error| InvalidParameter {
            name: name.to_owned(),
            ..error.into()
        })
    }

    /// All that are left, ordered by name.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes a moment out.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<UtcMicros>, InvalidParameter> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let example = "not a time with a zone, such as 2026-01-31T12:00:00Z (a `+` is written %2B)";
        text.parse()
            .map(Some)
            .map_err(|_| InvalidParameter::new(name, example))
    }

    /// Makes sure that none is left.
    pub(crate) fn end(self) -> Result<(), InvalidParameter> {
        match self.0.into_keys().next() {
            Some(name) => Err(InvalidParameter::new(&name, "unknown")),
            None => Ok(()),
        }
    }

    /// The filter that all that are left stand for.
    pub(crate) fn filter(self, now: UtcMicros) -> Result<Filter, InvalidParameter> {
        Filter::of(self.0, now)
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
    /// The period of parameters that hold nothing else.
    pub(crate) fn of(mut parameters: Parameters) -> Result<Self, InvalidParameter> {
        let period = Self {
            from: parameters.time("from")?,
            to: parameters.time("to")?,
        };
        parameters.end()?;
        period.check()?;
        Ok(period)
    }

    /// One that ends before it begins is a mistake and not a question without answers.
    pub fn check(&self) -> Result<(), InvalidParameter> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to <= from => Err(InvalidParameter::new("to", "not after `from`")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn wrong(query: &str) -> String {
        Search::parse(query, NOW).unwrap_err().name
    }

    #[test]
    fn nothing_given_is_everything_fifty_at_a_time() {
        let search = Search::parse("", NOW).unwrap();

        assert_eq!(search.limit, 50);
        assert_eq!(search.filter, Filter::default());
    }

    #[test]
    fn what_no_database_holds_is_searched_for_as_it_is_kept() {
        let mut parameters = Parameters::parse("rule=a%00b").unwrap();

        assert_eq!(parameters.take("rule").unwrap(), "a\u{fffd}b");
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
            ("q=status:abc", "q"),
            ("q=", "q"),
        ] {
            assert_eq!(wrong(query), name, "{query}");
        }
        assert_eq!(wrong(&format!("path={}", "x".repeat(1025))), "path");
        let many =
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| format!("{name}={}", "x".repeat(1024)));
        assert_eq!(wrong(&many.join("&")), "h");
        let error = Search::parse("q=user:alice+stauts:401", NOW).unwrap_err();
        assert_eq!(error.at, Some(11));
        assert_eq!(
            error.to_string(),
            "parameter `q`: at character 12: there is no field `stauts`; did you mean `status`?"
        );
    }

    proptest! {
        #[test]
        fn no_query_is_too_strange(query in ".*") {
            drop(Search::parse(&query, NOW));
        }

        #[test]
        fn every_text_can_be_searched_for(value in ".{1,200}") {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("sub", &value).finish();

            let search = Search::parse(&query, NOW).unwrap();

            let given: Vec<_> = search.filter.given().collect();
            let kept = value.replace('\0', "\u{fffd}");
            prop_assert_eq!(given, [("sub", kept.as_str())]);
        }
    }
}
