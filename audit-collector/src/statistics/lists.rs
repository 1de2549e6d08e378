//! The frequent values of several fields at once: of one statement, so of one moment, which reads the rows that it needs once. Pure.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use super::Count;
use super::dimension::{Dimension, NAMES};
use super::ranking::Ranking;
use crate::rollup::{Sketched, TOLD_APART_BY};
use crate::search::{Detail, Dialect, Filter, Statement};

/// A list that is wanted.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The field.
    pub(super) by: Dimension,
    /// What its events meet besides.
    pub(super) only: Option<Filter>,
    /// Values at most.
    pub(super) limit: usize,
}

/// Which list; then a value and its events, or the most frequent values of a part of all.
pub(super) type ListRow = (i32, Option<String>, i64, Option<Vec<u8>>);

/// What is in a list.
#[derive(Debug)]
pub(super) struct Listed {
    /// The values, the most frequent first.
    pub(super) values: Vec<Count>,
    /// How many events each may have more than is told, at most; none if all is exact.
    pub(super) error: Option<i64>,
}

impl List {
    /// How what is kept can tell it, if it can.
    fn kept(&self, filter: &Filter) -> Option<Detail> {
        let needed = match self.by.frequent() {
            Some(_) => Detail::Brief,
            None => self.by.detail()?,
        };
        let met = self
            .only
            .as_ref()
            .map_or_else(|| filter.clone(), |only| filter.and(only));
        let detail = Sketched::detail(&met, needed)?;
        // Names are kept in brief alone.
        (self.by.frequent().is_none() || detail == Detail::Brief).then_some(detail)
    }
}

/// The statement for lists of the events that a filter meets.
pub(super) fn statement(filter: &Filter, lists: &[List], dialect: Dialect) -> Statement {
    let mut statement = Statement::new("", dialect);
    let condition = statement.filter(filter);
    let sketched = Sketched::of(&mut statement, filter);
    let rows = sketched.as_ref().map_or_else(
        || format!("SELECT {TOLD_APART_BY}, {NAMES} FROM event e WHERE {condition}"),
        |sketched| sketched.rows(NAMES),
    );
    let parts: Vec<_> = (0..)
        .zip(lists)
        .map(|(index, list): (i32, _)| {
            let found = list.kept(filter).zip(sketched.as_ref());
            let only = list
                .only
                .as_ref()
                .map_or_else(|| "1 = 1".to_owned(), |only| statement.filter(only));
            // Rows of its own, if it is about other columns, or what is kept tells of the others and not of it.
            let is_apart = found.is_some()
                || sketched.is_none() && (list.by.detail().is_some() || list.by.frequent().is_some());
            let from = match (is_apart, list.by.detail()) {
                (true, Some(_)) => format!("kinds AS e WHERE {only}"),
                (true, None) => format!("apart AS e WHERE {only}"),
                (false, _) => format!("event e WHERE {condition} AND {only}"),
            };
            let one = if is_apart && list.by.detail().is_some() {
                "e.events"
            } else {
                "1"
            };
            list.part(index, (&from, one, &only), found, dialect)
        })
        .collect();
    statement.sql = format!(
        "WITH apart AS ({rows}), \
        kinds AS (SELECT {TOLD_APART_BY}, COUNT(*) AS events FROM apart AS e GROUP BY {TOLD_APART_BY}) {}",
        parts.join(" UNION ALL ")
    );
    statement
}

impl List {
    /// The select of list number `index`: of rows, each of which is `one` event or more, and of what is kept.
    fn part(
        &self,
        index: i32,
        (from, one, only): (&str, &str, &str),
        found: Option<(Detail, &Sketched)>,
        dialect: Dialect,
    ) -> String {
        let (value, nothing) = (self.by.sql(dialect), dialect.no_bytes());
        if let (Some(column), Some((detail, sketched))) = (self.by.frequent(), found) {
            return format!(
                "SELECT {index} AS list, NULL AS value, e.events AS events, e.{column} AS names FROM {kept} AND {only} \
                    AND e.{column} IS NOT NULL \
                UNION ALL SELECT {index}, {value} AS value, COUNT(*), {nothing} FROM {from} AND {value} IS NOT NULL GROUP BY 2",
                kept = sketched.kept(detail, &[column]),
            );
        }
        let rows = format!("SELECT {value} AS value, {one} AS events FROM {from}");
        let all = match found {
            Some((detail, sketched)) => format!(
                "SELECT {value} AS value, e.events FROM {} AND {only} UNION ALL {rows}",
                sketched.kept(detail, &[])
            ),
            None => rows,
        };
        format!(
            "SELECT * FROM (SELECT {index} AS list, value, CAST(SUM(events) AS BIGINT) AS events, {nothing} AS names \
            FROM ({all}) AS found_{index} WHERE value IS NOT NULL GROUP BY value \
            ORDER BY 3 DESC, 2 LIMIT {limit}) AS list_{index}",
            limit = self.limit,
        )
    }
}

/// What its rows say, list by list.
pub(super) fn answer(lists: &[List], rows: Vec<ListRow>) -> Vec<Listed> {
    let mut of_list: Vec<Vec<ListRow>> = lists.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let place = usize::try_from(row.0).ok();
        if let Some(rows) = place.and_then(|place| of_list.get_mut(place)) {
            rows.push(row);
        }
    }
    // Names are tens of thousands in each list, which are put together beside each other.
    std::thread::scope(|scope| {
        let listing: Vec<_> = lists
            .iter()
            .zip(of_list)
            .map(|(list, rows)| scope.spawn(move || list.answer(rows)))
            .collect();
        let listed = listing.into_iter().map(ScopedJoinHandle::join);
        listed
            .map(|one| one.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

impl List {
    fn answer(&self, rows: Vec<ListRow>) -> Listed {
        if self.by.frequent().is_some() {
            let mut ranking = Ranking::of(self.by);
            for (_, value, events, names) in rows {
                if let Some(names) = names {
                    ranking.merge(&names);
                } else if let Some(value) = value {
                    ranking.insert(&value, events);
                }
            }
            return Listed {
                values: ranking.most(self.limit),
                error: ranking.error(),
            };
        }
        let count = |(_, value, events, _): ListRow| {
            let value = self.by.shown(value?);
            Some(Count { value, events })
        };
        let mut values: Vec<_> = rows.into_iter().filter_map(count).collect();
        values.sort_by(|one, other| {
            let by_value = || one.value.cmp(&other.value);
            other.events.cmp(&one.events).then_with(by_value)
        });
        Listed { values, error: None }
    }
}
