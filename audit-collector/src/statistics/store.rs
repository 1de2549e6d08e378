//! Counts the events of a period, in one statement, so that all counts are of one moment.

use shared::database::{Database, DatabaseError, read};

use super::Summary;
use crate::event_log::EventLog;
use crate::search::{Period, Statement, bound};

/// Values in a list of the most frequent.
const TOP: usize = 10;

impl EventLog {
    /// What the events of a period add up to.
    pub async fn summary(&self, period: &Period) -> Result<Summary, DatabaseError> {
        let rows = count(self.database(), &statement(period, self.database().is_postgres())).await?;
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

fn statement(period: &Period, is_postgres: bool) -> Statement {
    let mut statement = Statement::new("");
    let within = statement.period(period);
    let hex = if is_postgres {
        "encode(ip, 'hex')"
    } else {
        "hex(ip)"
    };
    let all = ["class", "outcome", "reason", "action"].map(|column| {
        format!(
            "SELECT '{column}' AS list, {column} AS value, COUNT(*) AS events FROM event \
             WHERE {within} AND {column} IS NOT NULL GROUP BY {column}"
        )
    });
    let top = [
        ("user", "COALESCE(username, sub)", "identity = 'verified'"),
        ("address", hex, "1 = 1"),
        ("route", "route", "1 = 1"),
    ]
    .map(|(list, value, condition)| {
        format!(
            "SELECT * FROM (SELECT '{list}' AS list, {value} AS value, COUNT(*) AS events FROM event \
             WHERE {within} AND {condition} AND {value} IS NOT NULL \
             GROUP BY {value} ORDER BY COUNT(*) DESC, {value} LIMIT {TOP}) AS top_{list}"
        )
    });
    let counts: Vec<String> = all.into_iter().chain(top).collect();
    statement.sql = counts.join(" UNION ALL ");
    statement
}
