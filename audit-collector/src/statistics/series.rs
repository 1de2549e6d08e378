//! Counts over time: `GET /v1/stats/series`. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::Dimension;
use super::question::{Buckets, Question, limit};
use crate::rollup::Source;
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Statement};

const GROUPS_DEFAULT: u16 = 5;
const GROUPS_MAX: u16 = 20;

/// How many events there were in each stretch of a period, in all or by the most frequent values of a field.
#[derive(Clone, Debug)]
pub struct Series {
    filter: Filter,
    buckets: Buckets,
    by: Option<Dimension>,
    groups: i64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeriesAnswer {
    /// How wide each stretch is.
    pub bucket_seconds: i64,
    /// When each begins.
    pub starts: Vec<UtcMicros>,
    /// All events.
    pub events: i64,
    /// The most frequent values, the most frequent first; one without a value if nothing was grouped by.
    pub groups: Vec<Line>,
    /// The other values together; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Line>,
    /// Events without a value; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<Line>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The value, if it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// All of its events.
    pub total: i64,
    /// Its events in each stretch.
    pub events: Vec<i64>,
}

/// Which line a row is part of, in the order of the answer.
const ONE: i32 = 0;
const REST: i32 = 1;
const WITHOUT: i32 = 2;

impl Question for Series {
    type Row = (i32, String, i64, i64);
    type Answer = SeriesAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let by = Dimension::read(&mut parameters, "by")?;
        let groups = limit(&mut parameters, GROUPS_DEFAULT, GROUPS_MAX)?;
        let (buckets, filter) = Buckets::read(parameters, now)?;
        Ok(Self {
            filter,
            buckets,
            by,
            groups,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let needed = self.by.map_or(Some(Detail::Brief), Dimension::detail);
        let source = Source::of(
            &mut statement,
            &self.filter,
            needed,
            Some(self.buckets.division()),
        );
        let Source { from, events, .. } = source;
        let condition = statement.filter(&self.filter);
        let bucket = self.buckets.sql();
        statement.sql = match self.by {
            None => format!("SELECT {ONE}, '', {bucket}, {events} FROM {from} WHERE {condition} GROUP BY 3"),
            Some(by) => format!(
                "WITH found AS (SELECT {bucket} AS bucket, {value} AS value, {events} AS events \
                    FROM {from} WHERE {condition} GROUP BY 1, 2), \
                top AS (SELECT value FROM found WHERE value IS NOT NULL \
                    GROUP BY value ORDER BY SUM(events) DESC, value LIMIT {groups}), \
                told AS (SELECT bucket, events, CASE WHEN value IS NULL THEN {WITHOUT} \
                    WHEN value IN (SELECT value FROM top) THEN {ONE} ELSE {REST} END AS line, value FROM found), \
                named AS (SELECT bucket, events, line, CASE WHEN line = {ONE} THEN value ELSE '' END AS value FROM told) \
                SELECT line, value, bucket, CAST(SUM(events) AS BIGINT) FROM named GROUP BY line, value, bucket",
                value = by.sql(dialect),
                groups = self.groups,
            ),
        };
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> SeriesAnswer {
        let mut lines: BTreeMap<(i32, String), Line> = BTreeMap::new();
        for (kind, value, bucket, events) in rows {
            let line = lines.entry((kind, value.clone())).or_insert_with(|| Line {
                value: (kind == ONE)
                    .then_some(self.by)
                    .flatten()
                    .map(|by| by.shown(value)),
                total: 0,
                events: vec![0; self.buckets.count()],
            });
            line.total += events;
            let place = usize::try_from(bucket)
                .ok()
                .and_then(|bucket| line.events.get_mut(bucket));
            if let Some(place) = place {
                *place += events;
            }
        }
        let mut of = |kind| lines.remove(&(kind, String::new()));
        let (rest, without) = (of(REST), of(WITHOUT));
        let mut groups: Vec<Line> = lines.into_values().collect();
        // Equal ones stay in the order of their values.
        groups.sort_by_key(|line| std::cmp::Reverse(line.total));
        SeriesAnswer {
            bucket_seconds: self.buckets.seconds(),
            starts: self.buckets.starts(),
            events: groups
                .iter()
                .chain(&rest)
                .chain(&without)
                .map(|line| line.total)
                .sum(),
            groups,
            rest,
            without,
        }
    }

    fn events(answer: &SeriesAnswer) -> i64 {
        answer.events
    }
}
