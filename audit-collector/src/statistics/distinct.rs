//! How many values of a field there are: `GET /v1/stats/distinct`. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::{Dimension, NAMES};
use super::question::Question;
use crate::rollup::{Distinct as Values, STANDARD_ERROR, Sketched, Source, ValueHash};
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Statement};

/// How many values of a field there are.
#[derive(Clone, Debug)]
pub struct Distinct {
    filter: Filter,
    by: Dimension,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DistinctAnswer {
    /// The field.
    pub by: &'static str,
    /// All events.
    pub events: i64,
    /// How many values they have.
    pub distinct: i64,
    /// Whether `distinct` is exact.
    pub exact: bool,
    /// The standard error of `distinct`, as a share of it; absent if it is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

impl Distinct {
    /// The column with sketches of its values, if the answer is to come of them.
    fn sketched(&self) -> Option<(&'static str, Detail)> {
        self.by
            .sketched()
            .zip(Sketched::detail(&self.filter, Detail::Brief))
    }
}

impl Question for Distinct {
    /// Without sketches: events, and how many values. With them: a value, its events, and nothing else; or events and their sketch.
    type Row = (Option<String>, i64, i64, Option<Vec<u8>>);
    type Answer = DistinctAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        Ok(Self {
            by: Dimension::required(&mut parameters, "by")?,
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let value = self.by.sql(dialect);
        let nothing = dialect.no_bytes();
        let sketches = self.sketched().zip(Sketched::of(&mut statement, &self.filter));
        statement.sql = if let Some(((column, detail), sketched)) = sketches {
            format!(
                "SELECT NULL AS value, e.events, CAST(0 AS BIGINT), e.{column} FROM {kept} \
                UNION ALL SELECT {value} AS value, COUNT(*), CAST(0 AS BIGINT), {nothing} FROM ({rows}) AS e GROUP BY 1",
                kept = sketched.kept(detail, &[column]),
                rows = sketched.rows(NAMES),
            )
        } else {
            let Source { from, events, .. } = self.by.source(&mut statement, &self.filter);
            let condition = statement.filter(&self.filter);
            format!("SELECT NULL, {events}, COUNT(DISTINCT {value}), {nothing} FROM {from} WHERE {condition}")
        };
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> DistinctAnswer {
        let events = rows.iter().map(|row| row.1).sum();
        let is_sketched = self.sketched().is_some();
        let mut values = Values::default();
        let mut counted = 0;
        for (value, _, distinct, sketch) in rows {
            counted += distinct;
            if let Some(value) = value {
                values.insert(ValueHash::of(&self.by.shown(value)));
            }
            // What is no sketch any more, which only a change of the database can cause, counts nothing.
            if let Some(sketch) = sketch.as_deref().and_then(Values::from_bytes) {
                values.merge(&sketch);
            }
        }
        let exact = !is_sketched || values.is_exact();
        DistinctAnswer {
            by: self.by.name(),
            events,
            distinct: if is_sketched {
                i64::try_from(values.count()).unwrap_or(i64::MAX)
            } else {
                counted
            },
            exact,
            error: (!exact).then_some(STANDARD_ERROR),
        }
    }

    fn events(answer: &DistinctAnswer) -> i64 {
        answer.events
    }
}
