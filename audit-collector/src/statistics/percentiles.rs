//! How long answers took: `GET /v1/stats/percentiles`. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::Dimension;
use super::question::{Question, limit};
use crate::rollup::{RELATIVE_ERROR, Sketched, Spread};
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Statement};

const GROUPS_DEFAULT: u16 = 10;
const GROUPS_MAX: u16 = 50;

/// The percentiles that are told, in thousandths.
const RANKS: [i64; 6] = [500, 750, 900, 950, 990, 999];

/// Rows up to which sketches take each of their durations as it is; of more, they are rounded to three digits, so that few are left.
const ROWS_EXACT: i64 = 10_000;

/// What the rounding adds to the error of a sketch.
const ROUNDING_ERROR: f64 = 0.005;

/// Percentiles of the time to the head of an answer, in all or by a field: the nearest rank.
#[derive(Clone, Debug)]
pub struct Percentiles {
    filter: Filter,
    by: Option<Dimension>,
    groups: usize,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PercentilesAnswer {
    /// The groups, the one with the most answers first; one without a value if nothing was grouped by.
    pub groups: Vec<Durations>,
    /// Whether all of them are exact.
    pub exact: bool,
    /// How far a percentile may be off, as a share of it; absent if all are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
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
    /// The group and how many answers it has; then without sketches a rank in it from 1 on and the duration at that rank; with them, of
    /// rows the number of all of them and a duration, or nothing of both and a sketch.
    type Row = (String, i64, i64, i64, Option<Vec<u8>>);
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
        let value = self.by.map_or_else(|| "''".to_owned(), |by| by.sql(dialect));
        let nothing = dialect.no_bytes();
        let sketched = self.sketched().zip(Sketched::of(&mut statement, &self.filter));
        if let Some((detail, sketched)) = sketched {
            statement.sql = format!(
                "WITH found AS (SELECT {value} AS value, e.duration_us AS duration FROM ({rows}) AS e WHERE e.duration_us IS NOT NULL), \
                size AS (SELECT COUNT(*) AS size FROM found) \
                SELECT {value} AS value, e.events, CAST(0 AS BIGINT), CAST(0 AS BIGINT), e.durations FROM {kept} AND {value} IS NOT NULL \
                UNION ALL SELECT value, COUNT(*), size, CASE WHEN size <= {ROWS_EXACT} THEN duration ELSE {rounded} END, {nothing} \
                    FROM found, size WHERE value IS NOT NULL GROUP BY 1, 3, 4",
                rounded = rounded("duration"),
                kept = sketched.kept(detail, &["durations"]),
                rows = sketched.rows("e.duration_us"),
            );
            return statement;
        }
        let condition = statement.filter(&self.filter);
        let ranks: Vec<_> = RANKS.into_iter().map(rank_of).collect();
        statement.sql = format!(
            "WITH found AS (SELECT {value} AS value, e.duration_us AS duration FROM event e \
                WHERE {condition} AND e.duration_us IS NOT NULL), \
            ranked AS (SELECT value, duration, COUNT(*) OVER (PARTITION BY value) AS events, \
                ROW_NUMBER() OVER (PARTITION BY value ORDER BY duration) AS rank FROM found WHERE value IS NOT NULL) \
            SELECT value, events, rank, duration, {nothing} FROM ranked WHERE rank IN (1, events, {ranks}) \
            ORDER BY events DESC, value, rank LIMIT {limit}",
            ranks = ranks.join(", "),
            // Each group has this many rows at most, so that the ones wanted are whole.
            limit = self.groups * (RANKS.len() + 2),
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> PercentilesAnswer {
        if self.sketched().is_some() {
            return self.answer_of_sketches(rows);
        }
        let mut groups = Vec::new();
        for of_group in rows.chunk_by(|one, next| one.0 == next.0).take(self.groups) {
            let Some((value, events, ..)) = of_group.first() else {
                continue;
            };
            let at = |rank: i64| of_group.iter().find(|row| row.2 == rank).map_or(0, |row| row.3);
            groups.push(self.durations(value, *events, at));
        }
        PercentilesAnswer {
            groups,
            exact: true,
            error: None,
        }
    }

    fn events(answer: &PercentilesAnswer) -> i64 {
        answer.groups.iter().map(|group| group.events).sum()
    }
}

impl Percentiles {
    /// By what detail, if the answer is to come of sketches.
    fn sketched(&self) -> Option<Detail> {
        let needed = self.by.map_or(Some(Detail::Brief), Dimension::detail)?;
        Sketched::detail(&self.filter, needed)
    }

    fn answer_of_sketches(&self, rows: Vec<<Self as Question>::Row>) -> PercentilesAnswer {
        let mut spreads: BTreeMap<String, Spread> = BTreeMap::new();
        let mut is_rounded = false;
        for (value, events, size, duration, sketch) in rows {
            let spread = spreads.entry(value).or_default();
            // What is no sketch any more, which only a change of the database can cause, counts nothing.
            if let Some(bytes) = sketch {
                spread.merge(&Spread::from_bytes(&bytes).unwrap_or_default());
            } else {
                is_rounded |= size > ROWS_EXACT;
                spread.insert(u64::try_from(duration).unwrap_or(0), events.cast_unsigned());
            }
        }
        let mut all: Vec<_> = spreads.iter().filter(|(_, spread)| spread.count() > 0).collect();
        all.sort_by_key(|(_, spread)| std::cmp::Reverse(spread.count()));
        all.truncate(self.groups);
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let exact = !is_rounded && all.iter().all(|(_, spread)| spread.is_exact());
        PercentilesAnswer {
            groups: all
                .into_iter()
                .map(|(value, spread)| {
                    let at = |rank: i64| signed(spread.at(rank.cast_unsigned()));
                    self.durations(value, signed(spread.count()), at)
                })
                .collect(),
            exact,
            error: (!exact).then_some(RELATIVE_ERROR + ROUNDING_ERROR),
        }
    }

    /// What a group's durations are, by the one at each rank.
    fn durations(&self, value: &str, events: i64, at: impl Fn(i64) -> i64) -> Durations {
        let thousandth = |part: i64| at((events * part + 999) / 1_000);
        Durations {
            value: self.by.map(|by| by.shown(value.to_owned())),
            events,
            min: at(1),
            p50: thousandth(500),
            p75: thousandth(750),
            p90: thousandth(900),
            p95: thousandth(950),
            p99: thousandth(990),
            p999: thousandth(999),
            max: at(events),
        }
    }
}

/// A number rounded down to three digits, and up by half of the fourth.
fn rounded(number: &str) -> String {
    let steps = (1..=6_u32).rev().map(|digits| {
        let step = 10_i64.pow(digits);
        format!(
            "WHEN {number} >= {} THEN {number} / {step} * {step} + {}",
            step * 100,
            step / 2
        )
    });
    format!("CASE {} ELSE {number} END", steps.collect::<Vec<_>>().join(" "))
}

/// The rank of so many thousandths of `events`, rounded up.
fn rank_of(thousandths: i64) -> String {
    format!("(events * {thousandths} + 999) / 1000")
}
