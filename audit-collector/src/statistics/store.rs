//! Counts events, in one statement, so that all counts are of one moment.

use shared::database::{Database, DatabaseError, read};
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::{Question, Summary};
use crate::event_log::EventLog;
use crate::search::{Dialect, Filter, Statement, bound};

/// Values in a list of the most frequent.
const TOP: usize = 10;

/// A row as either database gives it.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl EventLog {
    /// Answers a question about many events.
    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, DatabaseError> {
        let database = self.database();
        let statement = question.statement(Dialect::of(database));
        let rows = read!(fetch_all, database, bound!(Q::Row, statement))?;
        Ok(question.answer(rows))
    }

    /// What the events that meet a filter add up to.
    pub async fn summary(&self, filter: &Filter) -> Result<Summary, DatabaseError> {
        let rows = count(self.database(), &statement(filter, Dialect::of(self.database()))).await?;
        let period = filter.period();
        let mut summary = Summary {
            from: period.from,
            to: period.to,
            ..Summary::default()
        };
        for (list, value, events) in rows {
            summary.take(&list, value, events);
        }
        summary.sort();
        Ok(summary)
    }
}

async fn count(
    database: &Database,
    statement: &Statement,
) -> Result<Vec<(String, String, i64)>, DatabaseError> {
    read!(fetch_all, database, bound!((String, String, i64), statement))
}

fn statement(filter: &Filter, dialect: Dialect) -> Statement {
    let mut statement = Statement::new("", dialect);
    let within = statement.filter(filter);
    let all = ["class", "outcome", "reason", "action"].map(|column| {
        format!(
            "SELECT '{column}' AS list, e.{column} AS value, COUNT(*) AS events FROM event e \
             WHERE {within} AND e.{column} IS NOT NULL GROUP BY e.{column}"
        )
    });
    let top = [
        (
            "user",
            "COALESCE(e.username, e.sub)".to_owned(),
            "e.identity = 'verified'",
        ),
        ("address", dialect.hex("e.ip"), "1 = 1"),
        ("route", "e.route".to_owned(), "1 = 1"),
    ]
    .map(|(list, value, condition)| {
        format!(
            "SELECT * FROM (SELECT '{list}' AS list, {value} AS value, COUNT(*) AS events FROM event e \
             WHERE {within} AND {condition} AND {value} IS NOT NULL \
             GROUP BY {value} ORDER BY COUNT(*) DESC, {value} LIMIT {TOP}) AS top_{list}"
        )
    });
    let counts: Vec<String> = all.into_iter().chain(top).collect();
    statement.sql = counts.join(" UNION ALL ");
    statement
}
