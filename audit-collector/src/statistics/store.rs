//! Counts events, in one statement, so that all counts are of one moment.

use shared::database::{DatabaseError, read};
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::lists::ListRow;
use super::{Question, Summary};
use crate::event_log::EventLog;
use crate::search::{Dialect, Filter, bound};

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
        let database = self.database();
        let statement = Summary::statement(filter, Dialect::of(database));
        let rows = read!(fetch_all, database, bound!(ListRow, statement))?;
        Ok(Summary::of(filter, rows))
    }
}
