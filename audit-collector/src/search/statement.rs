//! A filter → SQL with placeholders. Pure: no value is ever part of the text.

use shared::clock::UtcMicros;
use uuid::Uuid;

use super::filter::{Condition, TextColumn};
use super::{Filter, Period, Search};

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
    Id(Uuid),
}

/// A statement with `$1`, `$2`… and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

/// A query for rows of that type, with the statement's values bound, for whichever database it is then run on.
macro_rules! bound {
    ($row:ty, $statement:expr) => {{
        let mut query = sqlx::query_as::<_, $row>(sqlx::AssertSqlSafe($statement.sql.clone()));
        for value in $statement.values.iter().cloned() {
            query = match value {
                $crate::search::Value::Text(text) => query.bind(text),
                $crate::search::Value::Number(number) => query.bind(number),
                $crate::search::Value::Bytes(bytes) => query.bind(bytes),
                $crate::search::Value::Id(id) => query.bind(id),
            };
        }
        query
    }};
}

pub(crate) use bound;

const SELECT: &str = "SELECT e.id, e.time, e.time_suspect, e.body, b.recorded_at, b.first_position + e.ordinal AS position \
    FROM event e JOIN batch b ON b.id = e.batch_id";

impl Statement {
    pub(crate) fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    /// One page, newest first, and one event more, which tells whether there is another page.
    pub(super) fn page(search: &Search) -> Self {
        let mut statement = Self::new(SELECT);
        statement.push_filter(&search.filter);
        if let Some(after) = search.after {
            let time = statement.placeholder(Value::Number(after.time.as_micros()));
            let id = statement.placeholder(Value::Id(after.id));
            statement.push_condition(&format!("(e.time, e.id) < ({time}, {id})"));
        }
        let limit = statement.placeholder(Value::Number(i64::from(search.limit) + 1));
        statement
            .sql
            .extend([" ORDER BY e.time DESC, e.id DESC LIMIT ", &limit]);
        statement
    }

    /// The event with that id.
    pub(super) fn event(id: Uuid) -> Self {
        let mut statement = Self::new(SELECT);
        let id = statement.placeholder(Value::Id(id));
        statement.push_condition(&format!("e.id = {id}"));
        statement
    }

    /// Keeps a value and returns the placeholder for it.
    pub(crate) fn placeholder(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// The conditions of a period on `time`, to stand behind a `WHERE`.
    pub(crate) fn period(&mut self, period: &Period) -> String {
        let mut bound = |operator: &str, time: Option<UtcMicros>| {
            time.map(|time| {
                format!(
                    "time {operator} {}",
                    self.placeholder(Value::Number(time.as_micros()))
                )
            })
        };
        let bounds = [bound(">=", period.from), bound("<", period.to)];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        if bounds.is_empty() {
            "1 = 1".to_owned()
        } else {
            bounds.join(" AND ")
        }
    }

    fn push_filter(&mut self, filter: &Filter) {
        for condition in filter.conditions() {
            let text = match condition {
                Condition::From(time) => {
                    format!("e.time >= {}", self.placeholder(Value::Number(time.as_micros())))
                }
                Condition::To(time) => {
                    format!("e.time < {}", self.placeholder(Value::Number(time.as_micros())))
                }
                Condition::User(user) => {
                    let user = self.placeholder(Value::Text(user.clone()));
                    format!("(e.sub = {user} OR e.username = {user})")
                }
                Condition::Address(bytes) => {
                    format!("e.ip = {}", self.placeholder(Value::Bytes(bytes.to_vec())))
                }
                Condition::Status(status) => {
                    format!("e.status = {}", self.placeholder(Value::Number((*status).into())))
                }
                Condition::Text(column, text) => {
                    format!(
                        "{} = {}",
                        name(*column),
                        self.placeholder(Value::Text(text.clone()))
                    )
                }
            };
            self.push_condition(&text);
        }
    }

    fn push_condition(&mut self, condition: &str) {
        let word = if self.sql.contains(" WHERE ") {
            "AND"
        } else {
            "WHERE"
        };
        self.sql.extend([" ", word, " ", condition]);
    }
}

const fn name(column: TextColumn) -> &'static str {
    match column {
        TextColumn::Sub => "e.sub",
        TextColumn::Sid => "e.sid",
        TextColumn::Jti => "e.jti",
        TextColumn::Route => "e.route",
        TextColumn::Template => "e.template",
        TextColumn::Path => "e.path",
        TextColumn::Outcome => "e.outcome",
        TextColumn::Action => "e.action",
        TextColumn::Class => "e.class",
        TextColumn::Reason => "e.reason",
        TextColumn::RequestId => "e.request_id",
        TextColumn::Service => "e.service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_never_part_of_the_text() {
        let search = Search::parse("sub=%27%3B+DROP+TABLE+event%3B--&ip=192.0.2.1&status=401").unwrap();

        let statement = Statement::page(&search);

        assert!(!statement.sql.contains("DROP"));
        assert_eq!(statement.values.len(), 4);
        assert!(statement.sql.ends_with("LIMIT $4"), "{}", statement.sql);
    }
}
