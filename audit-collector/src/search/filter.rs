//! Which events are searched for: one typed filter, whether it was given as parameters or in the filter language. Pure.

use std::collections::BTreeMap;

use shared::clock::UtcMicros;
use shared::event::Event;

use super::condition::{Condition, Detail, Expression, Name, NumberColumn};
use super::field::free_text;
use super::language::{InvalidFilter, Node, Value, parse};
use super::{Field, InvalidParameter, Period};
use crate::enrichment::Locality;
use crate::event_log::Row;

/// Which events are searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    expression: Expression,
    given: BTreeMap<String, String>,
}

impl Default for Filter {
    /// Everything.
    fn default() -> Self {
        Self {
            expression: Expression::All(Vec::new()),
            given: BTreeMap::new(),
        }
    }
}

impl Filter {
    /// Reads a filter in the filter language; `now` is what `last` counts from.
    pub fn parse(text: &str, now: UtcMicros) -> Result<Self, InvalidFilter> {
        Ok(Self {
            expression: resolve(&parse(text)?, now)?,
            given: BTreeMap::from([("q".to_owned(), text.to_owned())]),
        })
    }

    /// The filter that parameters stand for, which must all hold.
    pub(super) fn of(given: BTreeMap<String, String>, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let parts = given.iter().map(|(name, value)| parameter(name, value, now));
        let filter = Self {
            expression: Expression::All(parts.collect::<Result<_, _>>()?),
            given,
        };
        // A period that ends before it begins is a mistake and not a question without answers.
        match (filter.moment("from"), filter.moment("to")) {
            (Some(from), Some(to)) if to <= from => Err(InvalidParameter::new("to", "not after `from`")),
            _ => Ok(filter),
        }
    }

    /// Events of a period.
    pub(crate) fn within(period: &Period) -> Self {
        let first = period.from.map_or(i64::MIN, UtcMicros::as_micros);
        let last = period.to.map_or(i64::MAX, |to| to.as_micros().saturating_sub(1));
        let column = NumberColumn::Time;
        Self {
            expression: Expression::Is(Condition::Number { column, first, last }),
            given: BTreeMap::new(),
        }
    }

    /// Events in which a text begins so; none if the field is no text.
    pub(crate) fn beginning(field: Field, prefix: &str) -> Option<Self> {
        Self::of_value(field, &Value::Prefix(prefix.to_owned()))
    }

    /// Events in which a field is that very text; none if it cannot be.
    pub(crate) fn exactly(field: Field, value: &str) -> Option<Self> {
        Self::of_value(field, &Value::Exact(value.to_owned()))
    }

    fn of_value(field: Field, value: &Value) -> Option<Self> {
        // A moment would matter to lengths of time alone.
        let condition = field.condition(value, UtcMicros::from_micros(0));
        condition.ok().map(|condition| Self {
            expression: Expression::Is(condition),
            given: BTreeMap::new(),
        })
    }

    /// The events that meet this filter and another one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            expression: Expression::All(vec![self.expression.clone(), other.expression.clone()]),
            given: self.given.clone(),
        }
    }

    /// Whether an event from `locality` that was recorded at `recorded_at` meets it: the same as the database would say.
    pub fn matches(&self, event: &Event, locality: Locality, recorded_at: UtcMicros) -> bool {
        self.expression
            .is_met_by(&Row::of_event(event, locality, recorded_at))
    }

    /// The parameters as they were given, ordered by name.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The period outside of which nothing can meet it.
    pub fn period(&self) -> Period {
        let (first, last) = period_of(&self.expression);
        Period {
            from: (first > i64::MIN).then(|| UtcMicros::from_micros(first)),
            to: (last < i64::MAX).then(|| UtcMicros::from_micros(last.saturating_add(1))),
        }
    }

    /// The counts that can tell it and that tell apart what is needed: the briefest of them.
    pub(crate) fn detail(&self, needed: Detail) -> Option<Detail> {
        briefest(&self.expression, needed)
    }

    /// The user or the address that all have that meet it, with the counts of it that can tell the rest and that tell apart what is needed.
    pub(crate) fn named(&self, needed: Detail) -> Option<(Name, Detail)> {
        let (name, rest) = self.expression.named()?;
        Some((name, briefest(&rest, needed)?))
    }

    pub(crate) const fn expression(&self) -> &Expression {
        &self.expression
    }

    fn moment(&self, name: &str) -> Option<UtcMicros> {
        self.given.get(name)?.parse().ok()
    }
}

fn briefest(expression: &Expression, needed: Detail) -> Option<Detail> {
    [Detail::Brief, Detail::Full]
        .into_iter()
        .find(|detail| *detail >= needed && expression.is_kept(*detail))
}

fn parameter(name: &str, value: &str, now: UtcMicros) -> Result<Expression, InvalidParameter> {
    let time = |text: &str| {
        let example = "not a time with a zone, such as 2026-01-31T12:00:00Z (a `+` is written %2B)";
        let time: Result<UtcMicros, _> = text.parse();
        time.map(UtcMicros::as_micros)
            .map_err(|_| InvalidParameter::new(name, example))
    };
    let (first, last) = match name {
        "q" => return Ok(Filter::parse(value, now)?.expression),
        "from" => (time(value)?, i64::MAX),
        "to" => (i64::MIN, time(value)?.saturating_sub(1)),
        _ => {
            let field = Field::named(name).ok_or_else(|| InvalidParameter::new(name, "unknown"))?;
            let condition = field.condition(&Value::Exact(value.to_owned()), now);
            return condition
                .map(Expression::Is)
                .map_err(|expected| InvalidParameter::new(name, format!("not {expected}")));
        }
    };
    let column = NumberColumn::Time;
    Ok(Expression::Is(Condition::Number { column, first, last }))
}

fn resolve(node: &Node, now: UtcMicros) -> Result<Expression, InvalidFilter> {
    let several =
        |parts: &[Node]| -> Result<Vec<_>, _> { parts.iter().map(|part| resolve(part, now)).collect() };
    Ok(match node {
        Node::All(parts) => Expression::All(several(parts)?),
        Node::Any(parts) => Expression::Any(several(parts)?),
        Node::Not(part) => Expression::Not(Box::new(resolve(part, now)?)),
        Node::Term(term) => {
            let condition = match term.field {
                Some(field) => field
                    .condition(&term.value, now)
                    .map_err(|expected| format!("`{}` takes {expected}", field.name())),
                None => free_text(&term.value).map_err(|expected| format!("expected {expected}")),
            };
            Expression::Is(condition.map_err(|problem| InvalidFilter { at: term.at, problem })?)
        }
    })
}

/// The first and the last moment between which everything lies that meets `expression`.
fn period_of(expression: &Expression) -> (i64, i64) {
    const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);
    match expression {
        Expression::All(parts) => parts
            .iter()
            .map(period_of)
            .fold(ALWAYS, |all, part| (all.0.max(part.0), all.1.min(part.1))),
        Expression::Any(parts) => parts
            .iter()
            .map(period_of)
            .reduce(|any, part| (any.0.min(part.0), any.1.max(part.1)))
            .unwrap_or(ALWAYS),
        Expression::Is(Condition::Number {
            column: NumberColumn::Time,
            first,
            last,
        }) => (*first, *last),
        Expression::Not(_) | Expression::Is(_) => ALWAYS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn filter(text: &str) -> Filter {
        Filter::parse(text, NOW).unwrap()
    }

    #[test]
    fn parameters_and_the_language_become_the_same_filter() {
        let of = |name: &str, value: &str| {
            Filter::of(BTreeMap::from([(name.to_owned(), value.to_owned())]), NOW)
                .unwrap()
                .expression
        };
        for (name, value) in [
            ("user", "alice"),
            ("route", "/orders/{id}"),
            ("ip", "192.0.2.7"),
            ("status", "401"),
        ] {
            let Expression::All(parts) = of(name, value) else {
                panic!()
            };
            assert_eq!(parts, [filter(&format!("{name}:\"{value}\"")).expression]);
        }
        let Expression::All(parts) = of("q", "status:401 -user:alice") else {
            panic!()
        };
        assert_eq!(parts, [filter("status:401 -user:alice").expression]);
    }

    #[test]
    fn a_value_that_is_no_such_thing_is_named_with_its_place() {
        for (text, at, word) in [
            ("outcome:maybe", 0, "granted, denied"),
            ("user:alice status:abc", 11, "100 to 999"),
            ("status:499..400", 0, "end before it begins"),
            ("ip:10.*", 0, "10.0.0.0/8"),
            ("user:>a", 5, "no order"),
            ("duration:>250", 0, "unit"),
            ("last:yesterday", 0, "24h"),
            ("ab", 0, "at least 3"),
            ("id:17", 0, "UUID"),
        ] {
            let error = Filter::parse(text, NOW).expect_err(text);
            assert_eq!(error.at, at, "{text}");
            assert!(error.problem.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn the_period_is_what_every_alternative_lies_in() {
        let day = |from: i64, to: i64| Period {
            from: Some(UtcMicros::from_seconds(1_768_435_200 + from * 86_400)),
            to: Some(UtcMicros::from_seconds(1_768_435_200 + to * 86_400)),
        };
        for (text, expected) in [
            ("user:alice", Period::default()),
            ("user:alice time:2026-01-15", day(0, 1)),
            ("time:2026-01-15 OR time:2026-01-17", day(0, 3)),
            ("time:2026-01-15 OR user:alice", Period::default()),
            ("-time:2026-01-15", Period::default()),
            ("time:2026-01-15..2026-01-20 time:>=2026-01-18", day(3, 6)),
        ] {
            assert_eq!(filter(text).period(), expected, "{text}");
        }
    }
}
