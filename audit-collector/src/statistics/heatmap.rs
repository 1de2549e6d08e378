//! Counts by hour and weekday of the reader: `GET /v1/stats/heatmap`. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::question::{Question, offset};
use crate::rollup::Source;
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Statement};

const HOUR: i64 = 3_600_000_000;
const HOURS: usize = 24;
const DAYS: usize = 7;

/// 1970 began on a Thursday, which is three days after Monday.
const FIRST_WEEKDAY: usize = 3;

/// How many events there were in each hour of each weekday.
#[derive(Clone, Debug)]
pub struct Heatmap {
    filter: Filter,
    /// How far the reader's clock is ahead of UTC, in microseconds.
    offset: i64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeatmapAnswer {
    /// All events.
    pub events: i64,
    /// Those of Monday to Sunday, each from the hour that begins at midnight on.
    pub weekdays: [[i64; HOURS]; DAYS],
}

impl Question for Heatmap {
    type Row = (i64, i64);
    type Answer = HeatmapAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        Ok(Self {
            offset: offset(&mut parameters)?,
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        let Source { from, events, .. } = Source::of(
            &mut statement,
            &self.filter,
            Some(Detail::Brief),
            Some((-self.offset, HOUR)),
        );
        let condition = statement.filter(&self.filter);
        statement.sql = format!(
            "SELECT ((e.time + ({offset})) / {HOUR}) % {hours}, {events} FROM {from} WHERE {condition} GROUP BY 1",
            offset = self.offset,
            hours = HOURS * DAYS,
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> HeatmapAnswer {
        let mut weekdays = [[0; HOURS]; DAYS];
        for (hour, events) in &rows {
            // Both databases round towards zero, so that there are hours below it before 1970.
            let hour = usize::try_from(hour.rem_euclid(168)).unwrap_or(0) + FIRST_WEEKDAY * HOURS;
            let day = weekdays.get_mut(hour / HOURS % DAYS);
            if let Some(count) = day.and_then(|day| day.get_mut(hour % HOURS)) {
                *count += events;
            }
        }
        HeatmapAnswer {
            events: rows.iter().map(|(_, events)| events).sum(),
            weekdays,
        }
    }

    fn events(answer: &HeatmapAnswer) -> i64 {
        answer.events
    }
}
