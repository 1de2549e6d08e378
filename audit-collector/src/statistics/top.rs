//! Which values are frequent, and which are new. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::Count;
use super::dimension::{Dimension, NAMES};
use super::question::{Question, limit};
use super::ranking::Ranking;
use crate::rollup::{Distinct, STANDARD_ERROR, Sketched, Source, ValueHash};
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Statement, Value};

const VALUES_DEFAULT: u16 = 10;
const VALUES_MAX: u16 = 100;

/// The most frequent values of a field: `GET /v1/stats/top`.
#[derive(Clone, Debug)]
pub struct Top {
    filter: Filter,
    by: Dimension,
    values: i64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopAnswer {
    /// The field.
    pub by: &'static str,
    /// All events.
    pub events: i64,
    /// Those without a value.
    pub without: i64,
    /// How many values there are.
    pub distinct: i64,
    /// The standard error of `distinct`, as a share of it; absent if it is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_error: Option<f64>,
    /// The most frequent ones, the most frequent first.
    pub values: Vec<Count>,
    /// The events of all others.
    pub rest: i64,
    /// Whether every number of events is exact.
    pub exact: bool,
    /// How many events each value may have more than is told, at most, listed or not; absent if all are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<i64>,
}

/// A value and its events; then of all values: events, events without one, how many. Or of a part of all: its events, and what is kept of
/// its most frequent values and of all of them.
type TopRow = (
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

impl Question for Top {
    type Row = TopRow;
    type Answer = TopAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        Ok(Self {
            by: Dimension::required(&mut parameters, "by")?,
            values: limit(&mut parameters, VALUES_DEFAULT, VALUES_MAX)?,
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let (value, nothing) = (self.by.sql(dialect), dialect.no_bytes());
        let sketched = self.ranked().zip(Sketched::of(&mut statement, &self.filter));
        if let Some(((frequent, all), sketched)) = sketched {
            let zeros = ["CAST(0 AS BIGINT)"; 3].join(", ");
            statement.sql = format!(
                "SELECT NULL AS value, e.events, {zeros}, e.{frequent}, e.{all} FROM {kept} AND e.{frequent} IS NOT NULL \
                UNION ALL SELECT {value} AS value, COUNT(*), {zeros}, {nothing}, {nothing} FROM ({rows}) AS e GROUP BY 1",
                kept = sketched.kept(Detail::Brief, &[frequent, all]),
                rows = sketched.rows(NAMES),
            );
            return statement;
        }
        let Source { from, events, .. } = self.by.source(&mut statement, &self.filter);
        let condition = statement.filter(&self.filter);
        statement.sql = format!(
            "WITH counted AS (SELECT {value} AS value, {events} AS events FROM {from} WHERE {condition} GROUP BY 1) \
            SELECT value, events, CAST(SUM(events) OVER () AS BIGINT), \
                CAST(SUM(CASE WHEN value IS NULL THEN events ELSE 0 END) OVER () AS BIGINT), COUNT(value) OVER (), \
                {nothing}, {nothing} \
            FROM counted ORDER BY CASE WHEN value IS NULL THEN 1 ELSE 0 END, events DESC, value LIMIT {values}",
            values = self.values,
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> TopAnswer {
        if self.ranked().is_some() {
            return self.answer_of_sketches(&rows);
        }
        let (events, without, distinct) = rows.first().map_or((0, 0, 0), |row| (row.2, row.3, row.4));
        let values: Vec<Count> = rows
            .into_iter()
            .filter_map(|(value, events, ..)| {
                let value = self.by.shown(value?);
                Some(Count { value, events })
            })
            .collect();
        let listed: i64 = values.iter().map(|count| count.events).sum();
        TopAnswer {
            by: self.by.name(),
            events,
            without,
            distinct,
            distinct_error: None,
            values,
            rest: events - without - listed,
            exact: true,
            error: None,
        }
    }

    fn events(answer: &TopAnswer) -> i64 {
        answer.events
    }
}

impl Top {
    /// The columns of the most frequent values and of all of them, if the answer is to come of sketches.
    fn ranked(&self) -> Option<(&'static str, &'static str)> {
        let columns = self.by.frequent().zip(self.by.sketched());
        columns.filter(|_| Sketched::detail(&self.filter, Detail::Brief) == Some(Detail::Brief))
    }

    fn answer_of_sketches(&self, rows: &[TopRow]) -> TopAnswer {
        let events = rows.iter().map(|row| row.1).sum();
        let mut ranking = Ranking::of(self.by);
        for (value, events, .., frequent, _) in rows {
            if let Some(frequent) = frequent {
                ranking.merge(frequent);
            } else if let Some(value) = value {
                ranking.insert(value, *events);
            }
        }
        let values = ranking.most(usize::try_from(self.values).unwrap_or(usize::MAX));
        let (distinct, distinct_error) = ranking
            .distinct()
            .map_or_else(|| self.distinct_of_sketches(rows), |distinct| (distinct, None));
        let listed: i64 = values.iter().map(|count| count.events).sum();
        TopAnswer {
            by: self.by.name(),
            events,
            without: events - ranking.events(),
            distinct,
            distinct_error,
            values,
            rest: ranking.events() - listed,
            exact: ranking.error().is_none(),
            error: ranking.error(),
        }
    }

    /// How many values there are, where not all of them are known.
    fn distinct_of_sketches(&self, rows: &[TopRow]) -> (i64, Option<f64>) {
        let mut values = Distinct::default();
        for (value, .., all) in rows {
            if let Some(value) = value {
                values.insert(ValueHash::of(&self.by.shown(value.clone())));
            }
            if let Some(all) = all.as_deref().and_then(Distinct::from_bytes) {
                values.merge(&all);
            }
        }
        let distinct = i64::try_from(values.count()).unwrap_or(i64::MAX);
        (distinct, (!values.is_exact()).then_some(STANDARD_ERROR))
    }
}

/// The values of a field that were not seen before a moment: `GET /v1/stats/new`.
#[derive(Clone, Debug)]
pub struct New {
    filter: Filter,
    by: Dimension,
    since: UtcMicros,
    values: i64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewAnswer {
    /// The field.
    pub by: &'static str,
    /// The moment.
    pub since: UtcMicros,
    /// The values, the newest first.
    pub values: Vec<FirstSeen>,
}

/// A value that was not seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstSeen {
    /// The value.
    pub value: String,
    /// How many events have it.
    pub events: i64,
    /// The first of them.
    pub first: UtcMicros,
    /// The last.
    pub last: UtcMicros,
}

impl Question for New {
    type Row = (String, i64, i64, i64);
    type Answer = NewAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let by = Dimension::required(&mut parameters, "by")?;
        let since = parameters
            .take("since")
            .ok_or_else(|| InvalidParameter::new("since", "missing: a time with a zone"))?;
        let since = since.parse().map_err(|_| {
            InvalidParameter::new("since", "not a time with a zone, such as 2026-01-31T12:00:00Z")
        })?;
        Ok(Self {
            by,
            since,
            values: limit(&mut parameters, VALUES_DEFAULT, VALUES_MAX)?,
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let condition = statement.filter(&self.filter);
        let since = statement.placeholder(Value::Number(self.since.as_micros()));
        let value = self.by.sql(dialect);
        statement.sql = format!(
            "SELECT {value}, COUNT(*), MIN(e.time), MAX(e.time) FROM event e WHERE {condition} AND {value} IS NOT NULL \
            GROUP BY 1 HAVING MIN(e.time) >= {since} ORDER BY 3 DESC, 1 LIMIT {values}",
            values = self.values,
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> NewAnswer {
        let seen = |(value, events, first, last): Self::Row| FirstSeen {
            value: self.by.shown(value),
            events,
            first: UtcMicros::from_micros(first),
            last: UtcMicros::from_micros(last),
        };
        NewAnswer {
            by: self.by.name(),
            since: self.since,
            values: rows.into_iter().map(seen).collect(),
        }
    }

    fn events(answer: &NewAnswer) -> i64 {
        answer.values.iter().map(|value| value.events).sum()
    }
}
