//! What one can filter by: the names, and what a value of each means. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use shared::clock::UtcMicros;
use shared::event::{Class, Identity, Outcome};
use uuid::Uuid;

use super::condition::{Condition, IdColumn, Matching, NumberColumn, TextColumn};
use super::language::{Comparison, Value};
use super::quantity::{LENGTHS, SPANS, digits, duration, moment, status};
use crate::enrichment::Country;
use crate::event_log::{address_bytes, identity_word, searchable};

/// The shortest free text that is looked for, in bytes: less is in nearly every event.
const FREE_TEXT_BYTES_MIN: usize = 3;

/// Declares the fields with their names and what they say.
macro_rules! fields {
    ($($variant:ident $name:literal $means:literal,)+) => {
        /// A field of the filter language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $(#[doc = $means] $variant,)+
        }

        impl Field {
            /// Every field, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// How it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it says, in a few words.
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means,)+ }
            }
        }
    };
}

fields! {
    Time "time" "when it happened: a moment or a day (RFC 3339, UTC)",
    Last "last" "not longer ago than 15m, 24h, 7d",
    Class "class" "access, auth, admin, system or alert",
    Action "action" "what was done, such as `api_request`",
    Outcome "outcome" "granted, denied, success, failure or error",
    Reason "reason" "why it ended so, such as `token_expired`",
    User "user" "a name or a subject",
    Sub "sub" "a subject",
    Client "client" "the client that the token was minted for",
    Identity "identity" "how far the actor is to be believed: verified, claimed or none",
    Sid "sid" "a session",
    Jti "jti" "a token",
    Ip "ip" "the client's address or network",
    Country "country" "the country of the client's address (ISO 3166-1), such as `KR`",
    Asn "asn" "the autonomous system of the client's address, such as `15169`",
    Route "route" "a route by its name or, from a slash on, by its template",
    Path "path" "the path as it was asked for",
    Method "method" "the method of HTTP",
    Status "status" "the status of HTTP: 401, 4xx, 400..499",
    Duration "duration" "how long the answer took: 250ms, 2s",
    Request "request" "a request's id",
    Service "service" "who reports it",
    Instance "instance" "which instance of the service",
    Boot "boot" "which boot of the instance",
    Seq "seq" "the number at its source",
    Id "id" "the event's own id",
}

/// How the values of a field are read.
enum Kind {
    Text(&'static [TextColumn]),
    Word(&'static [TextColumn], Vec<&'static str>),
    Number(NumberColumn),
    Last,
    Address,
    Country,
    Route,
    Id(IdColumn),
}

impl Field {
    /// The field of that name. The names of the plain parameters are understood too.
    pub fn named(name: &str) -> Option<Self> {
        let name = match name {
            "request_id" => "request",
            "client_id" => "client",
            name => name,
        };
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// The field with the name nearest to one that does not exist, if it is near enough to be meant.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        let near = |field: &Self| strsim::osa_distance(name, field.name());
        Self::ALL
            .iter()
            .copied()
            .min_by_key(near)
            .filter(|field| near(field) <= 2)
    }

    /// Whether its values have an order, so that they may be compared and stand in ranges.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self.kind(), Kind::Number(_))
    }

    /// The words that are its only values, if it has such.
    pub fn words(self) -> Option<Vec<&'static str>> {
        match self.kind() {
            Kind::Word(_, words) => Some(words),
            _ => None,
        }
    }

    fn kind(self) -> Kind {
        use {NumberColumn as N, TextColumn as T};
        match self {
            Self::Time => Kind::Number(N::Time),
            Self::Last => Kind::Last,
            Self::Class => Kind::Word(&[T::Class], Class::ALL.map(Class::as_str).to_vec()),
            Self::Outcome => Kind::Word(&[T::Outcome], Outcome::ALL.map(Outcome::as_str).to_vec()),
            Self::Identity => Kind::Word(&[T::Identity], IDENTITIES.map(identity_word).to_vec()),
            Self::Action => Kind::Text(&[T::Action]),
            Self::Reason => Kind::Text(&[T::Reason]),
            Self::User => Kind::Text(T::USER),
            Self::Sub => Kind::Text(&[T::Sub]),
            Self::Client => Kind::Text(&[T::Client]),
            Self::Sid => Kind::Text(&[T::Sid]),
            Self::Jti => Kind::Text(&[T::Jti]),
            Self::Ip => Kind::Address,
            Self::Country => Kind::Country,
            Self::Asn => Kind::Number(N::Asn),
            Self::Route => Kind::Route,
            Self::Path => Kind::Text(&[T::Path]),
            Self::Method => Kind::Text(&[T::Method]),
            Self::Status => Kind::Number(N::Status),
            Self::Duration => Kind::Number(N::Duration),
            Self::Request => Kind::Text(&[T::Request]),
            Self::Service => Kind::Text(&[T::Service]),
            Self::Instance => Kind::Text(&[T::Instance]),
            Self::Boot => Kind::Id(IdColumn::Boot),
            Self::Seq => Kind::Number(N::Seq),
            Self::Id => Kind::Id(IdColumn::Id),
        }
    }

    /// The condition that the field has that value, or what was expected instead. `now` is what `last` counts from.
    pub(super) fn condition(self, value: &Value, now: UtcMicros) -> Result<Condition, String> {
        match self.kind() {
            Kind::Text(columns) => text(columns, value),
            Kind::Word(columns, words) => word(columns, &words, value),
            Kind::Number(column) => number(column, value),
            Kind::Last => last(value, now),
            Kind::Address => address(value),
            Kind::Country => country(value),
            Kind::Route => route(value),
            Kind::Id(column) => id(column, value),
        }
    }
}

const IDENTITIES: [Identity; 3] = [Identity::Verified, Identity::Claimed, Identity::None];

/// What a text without a field means: it stands somewhere in one of the texts that people know events by.
pub(super) fn free_text(value: &Value) -> Result<Condition, String> {
    let (Value::Exact(text) | Value::Prefix(text)) = value else {
        return Err("a word to look for, or a field such as `user:alice`".to_owned());
    };
    if text.len() < FREE_TEXT_BYTES_MIN {
        let problem =
            format!("a text of at least {FREE_TEXT_BYTES_MIN} bytes, or a field such as `user:alice`");
        return Err(problem);
    }
    Ok(Condition::Text {
        columns: TextColumn::FREE_TEXT,
        matching: Matching::Contains(searchable(text).to_ascii_lowercase()),
    })
}

fn text(columns: &'static [TextColumn], value: &Value) -> Result<Condition, String> {
    let matching = match value {
        Value::Exact(text) => Matching::Is(searchable(text).into_owned()),
        Value::Prefix(text) => Matching::Begins(searchable(text).into_owned()),
        Value::Present => Matching::Present,
        Value::Compared(..) | Value::Range(..) => return Err("a text; texts have no order".to_owned()),
    };
    Ok(Condition::Text { columns, matching })
}

fn word(columns: &'static [TextColumn], words: &[&'static str], value: &Value) -> Result<Condition, String> {
    let matching = match value {
        Value::Exact(text) if words.contains(&text.as_str()) => Matching::Is(text.clone()),
        Value::Present => Matching::Present,
        _ => return Err(format!("one of {}", words.join(", "))),
    };
    Ok(Condition::Text { columns, matching })
}

fn country(value: &Value) -> Result<Condition, String> {
    let matching = match value {
        Value::Exact(text) => Country::of(text).map(|country| Matching::Is(country.as_str().to_owned())),
        Value::Prefix(text) => Some(Matching::Begins(text.to_ascii_uppercase())),
        Value::Present => Some(Matching::Present),
        Value::Compared(..) | Value::Range(..) => None,
    };
    let matching = matching.ok_or("the two letters of a country, such as KR (ISO 3166-1)")?;
    Ok(Condition::Text {
        columns: &[TextColumn::Country],
        matching,
    })
}

/// Templates begin with a slash, names of routes do not.
fn route(value: &Value) -> Result<Condition, String> {
    match value {
        Value::Exact(text) | Value::Prefix(text) if text.starts_with('/') => {
            self::text(&[TextColumn::Template], value)
        }
        Value::Present => self::text(&[TextColumn::Route, TextColumn::Template], value),
        _ => self::text(&[TextColumn::Route], value),
    }
}

fn address(value: &Value) -> Result<Condition, String> {
    let expected = || "an address or a network such as 192.0.2.7 or 10.0.0.0/8".to_owned();
    let network = match value {
        Value::Exact(text) => text
            .parse::<IpAddr>()
            .map(|address| IpNet::from(address.to_canonical()))
            .or_else(|_| text.parse())
            .map_err(|_| expected())?,
        Value::Present => {
            return Ok(Condition::Address {
                first: [0; 16],
                last: [u8::MAX; 16],
            });
        }
        _ => return Err(expected()),
    };
    Ok(Condition::Address {
        first: address_bytes(network.network()),
        last: address_bytes(network.broadcast()),
    })
}

fn id(column: IdColumn, value: &Value) -> Result<Condition, String> {
    match value {
        Value::Exact(text) => Uuid::try_parse(text).ok(),
        _ => None,
    }
    .map(|id| Condition::Id(column, id))
    .ok_or_else(|| "a UUID".to_owned())
}

fn last(value: &Value, now: UtcMicros) -> Result<Condition, String> {
    let expected = || "a length of time such as 90s, 15m, 24h, 7d or 2w".to_owned();
    let Value::Exact(text) = value else {
        return Err(expected());
    };
    let length = duration(text, SPANS).ok_or_else(expected)?;
    Ok(Condition::Number {
        column: NumberColumn::Time,
        first: now.minus(length).as_micros(),
        last: i64::MAX,
    })
}

fn number(column: NumberColumn, value: &Value) -> Result<Condition, String> {
    let span = |text: &str| span(column, text).ok_or_else(|| expected(column).to_owned());
    let (first, last) = match value {
        Value::Exact(text) => span(text)?,
        Value::Present => (i64::MIN, i64::MAX),
        Value::Compared(comparison, text) => {
            let (first, last) = span(text)?;
            match comparison {
                Comparison::Above => (last.saturating_add(1), i64::MAX),
                Comparison::From => (first, i64::MAX),
                Comparison::Below => (i64::MIN, first.saturating_sub(1)),
                Comparison::UpTo => (i64::MIN, last),
            }
        }
        Value::Range(from, to) => (
            from.as_deref().map_or(Ok((i64::MIN, 0)), span)?.0,
            to.as_deref().map_or(Ok((0, i64::MAX)), span)?.1,
        ),
        Value::Prefix(_) => return Err(expected(column).to_owned()),
    };
    if first > last && matches!(value, Value::Range(..)) {
        return Err("a range that does not end before it begins".to_owned());
    }
    Ok(Condition::Number { column, first, last })
}

const fn expected(column: NumberColumn) -> &'static str {
    match column {
        NumberColumn::Time => "a day or a moment with its zone, such as 2026-01-31 or 2026-01-31T12:00:00Z",
        NumberColumn::Status => "a status from 100 to 999, or a class of them such as 4xx",
        NumberColumn::Duration => "a length of time with its unit, such as 250us, 80ms or 2s",
        NumberColumn::Seq => "a number from 1 on",
        NumberColumn::Asn => "the number of an autonomous system, such as 15169 or AS15169",
    }
}

/// The first and the last number that a text stands for.
fn span(column: NumberColumn, text: &str) -> Option<(i64, i64)> {
    match column {
        NumberColumn::Time => moment(text),
        NumberColumn::Status => status(text),
        NumberColumn::Duration => {
            let micros = i64::try_from(duration(text, LENGTHS)?.as_micros()).ok()?;
            Some((micros, micros))
        }
        NumberColumn::Seq => {
            let number = digits(text)?;
            (number > 0).then_some((number, number))
        }
        NumberColumn::Asn => {
            let number = digits(text.strip_prefix("AS").unwrap_or(text))?;
            Some((number, number))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::quantity::DAY;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn number(field: Field, text: &str) -> Option<(i64, i64)> {
        match field.condition(&Value::Exact(text.into()), NOW) {
            Ok(Condition::Number { first, last, .. }) => Some((first, last)),
            _ => None,
        }
    }

    #[test]
    fn every_field_is_found_by_its_name_and_near_it() {
        for field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(*field));
        }
        assert_eq!(Field::nearest("stauts"), Some(Field::Status));
        assert_eq!(Field::nearest("username"), None);
    }

    #[test]
    fn a_status_is_three_digits_or_a_class() {
        for (text, expected) in [
            ("401", Some((401, 401))),
            ("4xx", Some((400, 499))),
            ("99", None),
            ("1000", None),
            ("9xxx", None),
            ("+401", None),
            ("10xx", None),
        ] {
            assert_eq!(number(Field::Status, text), expected, "{text}");
        }
    }

    #[test]
    fn a_day_is_all_of_it() {
        let (first, last) = number(Field::Time, "2026-01-15").unwrap();

        assert_eq!(first, NOW.as_micros());
        assert_eq!(last, NOW.plus(DAY).as_micros() - 1);
        assert_eq!(number(Field::Time, "2026-02-30"), None);
        assert_eq!(number(Field::Time, "yesterday"), None);
    }

    #[test]
    fn lengths_of_time_need_their_unit() {
        assert_eq!(number(Field::Duration, "250ms"), Some((250_000, 250_000)));
        assert_eq!(number(Field::Duration, "2s"), Some((2_000_000, 2_000_000)));
        assert_eq!(number(Field::Last, "24h").unwrap().0, NOW.minus(DAY).as_micros());
        for text in ["250", "0s", "ms", "1.5s", "99999999999999999999s", "-1s", "3y"] {
            assert_eq!(number(Field::Duration, text), None, "{text}");
            assert_eq!(number(Field::Last, text), None, "{text}");
        }
    }

    #[test]
    fn a_network_is_a_range_whatever_the_host_part() {
        let range = |text: &str| match Field::Ip.condition(&Value::Exact(text.into()), NOW) {
            Ok(Condition::Address { first, last }) => Some((
                crate::event_log::address_of_bytes(first).to_string(),
                crate::event_log::address_of_bytes(last).to_string(),
            )),
            _ => None,
        };
        let expect = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));

        assert_eq!(range("10.1.2.3/8"), expect("10.0.0.0", "10.255.255.255"));
        assert_eq!(range("::ffff:192.0.2.7"), expect("192.0.2.7", "192.0.2.7"));
        assert_eq!(range("2001:db8::/126"), expect("2001:db8::", "2001:db8::3"));
        assert_eq!(range("10.0.0.0/33"), None);
        assert_eq!(range("300.1.1.1"), None);
    }
}
