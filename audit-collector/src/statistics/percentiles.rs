//! How long answers took: `GET /v1/stats/percentiles`. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::Dimension;
use super::question::{Question, limit};
use crate::search::{Dialect, Filter, InvalidParameter, Parameters, Statement};

const GROUPS_DEFAULT: u16 = 10;
const GROUPS_MAX: u16 = 50;

/// The percentiles that are told, in thousandths.
const RANKS: [i64; 6] = [500, 750, 900, 950, 990, 999];

/// Percentiles of the time to the head of an answer, in all or by a field. They are exact: the nearest rank.
#[derive(Clone, Debug)]
pub struct Percentiles {
    filter: Filter,
    by: Option<Dimension>,
    groups: usize,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PercentilesAnswer {
    /// The groups, the one with the most answers first; one without a value if nothing was grouped by.
    pub groups: Vec<Durations>,
}

/// How long the answers of a group took, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How many answers there were.
    pub events: i64,
    /// The shortest.
    pub min: i64,
    /// Half of them took as long at most.
    pub p50: i64,
    /// Three quarters of them.
    pub p75: i64,
    /// 90 %.
    pub p90: i64,
    /// 95 %.
    pub p95: i64,
    /// 99 %.
    pub p99: i64,
    /// 99.9 %.
    pub p999: i64,
    /// The longest.
    pub max: i64,
}

impl Question for Percentiles {
    /// The group, how many answers it has, a rank in it from 1 on, and the duration at that rank.
    type Row = (String, i64, i64, i64);
    type Answer = PercentilesAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let by = Dimension::read(&mut parameters, "by")?;
        let groups = limit(&mut parameters, GROUPS_DEFAULT, GROUPS_MAX)?;
        Ok(Self {
            by,
            groups: usize::try_from(groups).unwrap_or(usize::MAX),
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let condition = statement.filter(&self.filter);
        let value = self.by.map_or_else(|| "''".to_owned(), |by| by.sql(dialect));
        let ranks: Vec<_> = RANKS.into_iter().map(rank_of).collect();
        statement.sql = format!(
            "WITH found AS (SELECT {value} AS value, e.duration_us AS duration FROM event e \
                WHERE {condition} AND e.duration_us IS NOT NULL), \
            ranked AS (SELECT value, duration, COUNT(*) OVER (PARTITION BY value) AS events, \
                ROW_NUMBER() OVER (PARTITION BY value ORDER BY duration) AS rank FROM found WHERE value IS NOT NULL) \
            SELECT value, events, rank, duration FROM ranked WHERE rank IN (1, events, {ranks}) \
            ORDER BY events DESC, value, rank LIMIT {limit}",
            ranks = ranks.join(", "),
            // Each group has this many rows at most, so that the ones wanted are whole.
            limit = self.groups * (RANKS.len() + 2),
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> PercentilesAnswer {
        let mut groups = Vec::new();
        for of_group in rows.chunk_by(|one, next| one.0 == next.0).take(self.groups) {
            let Some((value, events, ..)) = of_group.first() else {
                continue;
            };
            let at = |rank: i64| of_group.iter().find(|row| row.2 == rank).map_or(0, |row| row.3);
            let thousandth = |part: i64| at((events * part + 999) / 1_000);
            groups.push(Durations {
                value: self.by.map(|by| by.shown(value.clone())),
                events: *events,
                min: at(1),
                p50: thousandth(500),
                p75: thousandth(750),
                p90: thousandth(900),
                p95: thousandth(950),
                p99: thousandth(990),
                p999: thousandth(999),
                max: at(*events),
            });
        }
        PercentilesAnswer { groups }
    }

    fn events(answer: &PercentilesAnswer) -> i64 {
        answer.groups.iter().map(|group| group.events).sum()
    }
}

/// The rank of so many thousandths of `events`, rounded up.
fn rank_of(thousandths: i64) -> String {
    format!("(events * {thousandths} + 999) / 1000")
}
