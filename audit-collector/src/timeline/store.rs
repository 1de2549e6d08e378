//! Reads the events of a life.

use shared::database::{DatabaseError, read};

use super::story::{Story, Summary};
use super::{Subject, Timeline};
use crate::event_log::{EventLog, searchable};
use crate::search::{Cursor, Dialect, Found, SELECT, Statement, Value, found};

/// Events that the summary of a session is made of at most: among others', each of them lies in a block of its own.
const SESSION_EVENTS_MAX: i64 = 2_000;

/// The same of a subject, whose first events are a part of its life however many they are, and lie far from each other.
const SUBJECT_EVENTS_MAX: i64 = 500;

impl EventLog {
    /// A page of a life in the order of time, and with the first page its summary.
    pub async fn timeline(&self, timeline: &Timeline) -> Result<Story, DatabaseError> {
        let subject = self.widened(&timeline.subject).await?;
        let limit = i64::from(timeline.limit);
        let wanted = match (timeline.after, &subject) {
            (Some(_), _) => limit + 1,
            (None, Subject::Sub(_)) => SUBJECT_EVENTS_MAX + 1,
            (None, _) => SESSION_EVENTS_MAX + 1,
        };
        let statement = statement(&subject, timeline, wanted, Dialect::of(self.database()));
        let mut rows = found(self.database(), &statement).await?;
        let is_all = i64::try_from(rows.len()).is_ok_and(|rows| rows < wanted);
        let first_page = timeline.after.is_none();
        let summary = first_page.then(|| {
            let events = rows.iter().filter_map(Found::event);
            Summary::of(&timeline.subject, &subject, events, is_all)
        });
        let limit = usize::from(timeline.limit);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| {
            Cursor {
                time: last.time(),
                id: last.id,
            }
            .seal(&timeline.asked)
        });
        Ok(Story {
            summary,
            events: rows.into_iter().map(|row| self.shown(row)).collect(),
            next_cursor,
        })
    }

    /// The session of a token, if it has one: its story is told whole.
    async fn widened(&self, subject: &Subject) -> Result<Subject, DatabaseError> {
        let Subject::Token(jti) = subject else {
            return Ok(subject.clone());
        };
        let select = "SELECT sid FROM event WHERE jti = $1 AND sid IS NOT NULL ORDER BY time LIMIT 1";
        let jti = searchable(jti);
        let row: Option<(String,)> = read!(
            fetch_optional,
            self.database(),
            sqlx::query_as(select).bind(&*jti)
        )?;
        Ok(row.map_or_else(|| subject.clone(), |(sid,)| Subject::Session(sid)))
    }
}

/// The events whose actor is the subject and those by which somebody else ended its session, which name it in their detail.
fn statement(subject: &Subject, timeline: &Timeline, limit: i64, dialect: Dialect) -> Statement {
    let mut statement = Statement::new("", dialect);
    let id = statement.placeholder(Value::Text(searchable(subject.id()).into_owned()));
    let within = statement.filter(&timeline.within);
    let after = timeline.after.map_or_else(
        || "1 = 1".to_owned(),
        |after| {
            let time = statement.placeholder(Value::Number(after.time.as_micros()));
            let id = statement.placeholder(Value::Id(after.id));
            format!("(e.time, e.id) > ({time}, {id})")
        },
    );
    let column = subject.name();
    let of = |condition: &str| {
        format!(
            "SELECT * FROM ({SELECT} WHERE {condition} AND {within} AND {after} ORDER BY e.time, e.id LIMIT {limit})"
        )
    };
    let mut parts = vec![of(&format!("e.{column} = {id}"))];
    if let Subject::Session(sid) = subject {
        let named = format!("\"sid\":{}", serde_json::Value::from(sid.as_str()));
        let named = statement.placeholder(Value::Bytes(named.into_bytes()));
        let holds = dialect.holds("e.body", &named);
        parts.push(of(&format!(
            "e.action = 'authn_token_revoked' AND e.class = 'auth' AND (e.sid IS NULL OR e.sid <> {id}) AND {holds}"
        )));
    }
    let parts: Vec<_> = (0..)
        .zip(parts)
        .map(|(index, part): (i32, _)| format!("{part} AS part_{index}"))
        .collect();
    statement.sql = format!(
        "SELECT * FROM ({}) AS life ORDER BY time, id LIMIT {limit}",
        parts.join(" UNION ALL ")
    );
    statement
}
