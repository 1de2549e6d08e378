//! A filter → SQL with placeholders. Pure: no value is ever part of the text.

use shared::database::{Database, Tx};
use uuid::Uuid;

use super::condition::{Condition, Expression, IdColumn, Matching, NumberColumn, TextColumn};
use super::{Filter, Search};

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
pub struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    dialect: Dialect,
}

/// What the two databases say in different words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    pub(crate) fn of(database: &Database) -> Self {
        if database.is_postgres() {
            Self::Postgres
        } else {
            Self::Sqlite
        }
    }

    pub(crate) const fn of_tx(tx: &Tx<'_>) -> Self {
        match tx {
            Tx::Sqlite(_) => Self::Sqlite,
            Tx::Postgres(_) => Self::Postgres,
        }
    }

    /// Bytes as hexadecimal digits; null of none.
    pub(crate) fn hex(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("NULLIF(hex({column}), '')"),
            Self::Postgres => format!("encode({column}, 'hex')"),
        }
    }

    /// No bytes, where others of the same column are bytes.
    pub(crate) const fn no_bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(NULL AS BLOB)",
            Self::Postgres => "CAST(NULL AS BYTEA)",
        }
    }

    /// Whether a column is one of what a subselect gives. PostgreSQL would guess that to be a third of a table and read all of
    /// another one for it; of an array it expects few.
    pub(crate) fn one_of(self, column: &str, select: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} IN ({select})"),
            Self::Postgres => format!("{column} = ANY(ARRAY({select}))"),
        }
    }

    /// The rows of `event e` that meet a condition on each row of `outer`, which are looked for one after the other: either database would else read
    /// all that meets the rest of the condition, and compare it with all of these.
    pub(crate) fn for_each(self, outer: &str, columns: &str, condition: &str) -> String {
        match self {
            Self::Sqlite => format!("SELECT {columns} FROM {outer} CROSS JOIN event e WHERE {condition}"),
            Self::Postgres => format!(
                "SELECT found.* FROM {outer} CROSS JOIN LATERAL (SELECT {columns} FROM event e WHERE {condition} OFFSET 0) AS found"
            ),
        }
    }

    /// Whether bytes have others in them.
    pub(crate) fn holds(self, column: &str, bytes: &str) -> String {
        match self {
            Self::Sqlite => format!("instr({column}, {bytes}) > 0"),
            Self::Postgres => format!("position({bytes} IN {column}) > 0"),
        }
    }

    /// Whether a column has the text `part` in it. Of letters only those of ASCII are put in lower case, on both.
    fn contains(self, column: &str, part: &str) -> String {
        match self {
            Self::Sqlite => format!("instr(lower({column}), {part}) > 0"),
            Self::Postgres => format!("strpos(lower({column} COLLATE \"C\"), {part}) > 0"),
        }
    }
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

/// Events with what the log knows of them.
pub(crate) const SELECT: &str = "SELECT e.id, e.time, e.time_suspect, e.country, e.asn, e.sealed IS NOT NULL AS is_disguised, e.body, b.recorded_at, b.first_position + e.ordinal AS position \
    FROM event e JOIN batch b ON b.id = e.batch_id";

impl Statement {
    pub(crate) fn new(sql: &str, dialect: Dialect) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
            dialect,
        }
    }

    /// One page, newest first, and one event more, which tells whether there is another page.
    pub(super) fn page(search: &Search, dialect: Dialect) -> Self {
        let mut statement = Self::new("", dialect);
        let after = search.after.map_or_else(
            || "1 = 1".to_owned(),
            |after| {
                let time = statement.placeholder(Value::Number(after.time.as_micros()));
                let id = statement.placeholder(Value::Id(after.id));
                format!("(e.time, e.id) < ({time}, {id})")
            },
        );
        let limit = statement.placeholder(Value::Number(i64::from(search.limit) + 1));
        // Each is read in the order of time from an index of its own; of both at once a database would read all and sort it.
        let pages: Vec<_> = search
            .filter
            .expression()
            .alternatives()
            .iter()
            .map(|alternative| {
                let condition = statement.expression(alternative);
                format!(
                    "{SELECT} WHERE {condition} AND {after} ORDER BY e.time DESC, e.id DESC LIMIT {limit}"
                )
            })
            .collect();
        statement.sql = match pages.as_slice() {
            [page] => page.clone(),
            pages => {
                let parts: Vec<_> = (0..)
                    .zip(pages)
                    .map(|(index, page): (i32, _)| format!("SELECT * FROM ({page}) AS part_{index}"))
                    .collect();
                format!(
                    "{} ORDER BY time DESC, id DESC LIMIT {limit}",
                    parts.join(" UNION ALL ")
                )
            }
        };
        statement
    }

    /// The event with that id.
    pub(super) fn event(id: Uuid, dialect: Dialect) -> Self {
        let mut statement = Self::new("", dialect);
        let id = statement.placeholder(Value::Id(id));
        statement.sql = format!("{SELECT} WHERE e.id = {id}");
        statement
    }

    /// The database that it is for.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Keeps a value and returns the placeholder for it.
    pub(crate) fn placeholder(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// The condition that a row of `event e` meets a filter.
    pub(crate) fn filter(&mut self, filter: &Filter) -> String {
        self.expression(filter.expression())
    }

    fn expression(&mut self, expression: &Expression) -> String {
        match expression {
            Expression::All(parts) if parts.is_empty() => "1 = 1".to_owned(),
            Expression::All(parts) => self.joined(parts, " AND "),
            Expression::Any(parts) => self.joined(parts, " OR "),
            // What is null is not so, and its contrary is.
            Expression::Not(part) => format!("(({}) IS NOT TRUE)", self.expression(part)),
            Expression::Is(condition) => self.condition(condition),
        }
    }

    fn joined(&mut self, parts: &[Expression], word: &str) -> String {
        let parts: Vec<_> = parts.iter().map(|part| self.expression(part)).collect();
        format!("({})", parts.join(word))
    }

    fn condition(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Text { columns, matching } => {
                let parts: Vec<_> = match matching {
                    Matching::Is(text) => {
                        let text = self.placeholder(Value::Text(text.clone()));
                        columns
                            .iter()
                            .map(|column| format!("{} = {text}", column.sql()))
                            .collect()
                    }
                    Matching::Begins(prefix) => {
                        let from = self.placeholder(Value::Text(prefix.clone()));
                        let below = after_all_with(prefix).map(|text| self.placeholder(Value::Text(text)));
                        let begins = |column: &TextColumn| match &below {
                            Some(below) => format!("({0} >= {from} AND {0} < {below})", column.sql()),
                            None => format!("{} >= {from}", column.sql()),
                        };
                        columns.iter().map(begins).collect()
                    }
                    Matching::Contains(part) => {
                        let part = self.placeholder(Value::Text(part.clone()));
                        let contains = |column: &TextColumn| self.dialect.contains(column.sql(), &part);
                        columns.iter().map(contains).collect()
                    }
                    Matching::Present => columns
                        .iter()
                        .map(|column| format!("{} IS NOT NULL", column.sql()))
                        .collect(),
                };
                format!("({})", parts.join(" OR "))
            }
            Condition::Number { column, first, last } => self.range(column.sql(), *first, *last),
            Condition::Address { first, last } if first == last => {
                format!("e.ip = {}", self.placeholder(Value::Bytes(first.to_vec())))
            }
            Condition::Address { first, last } => {
                let first = self.placeholder(Value::Bytes(first.to_vec()));
                let last = self.placeholder(Value::Bytes(last.to_vec()));
                format!("(e.ip >= {first} AND e.ip <= {last})")
            }
            Condition::Id(column, id) => {
                format!("{} = {}", column.sql(), self.placeholder(Value::Id(*id)))
            }
        }
    }

    fn range(&mut self, column: &str, first: i64, last: i64) -> String {
        if first == last {
            return format!("{column} = {}", self.placeholder(Value::Number(first)));
        }
        let mut parts = Vec::new();
        if first > i64::MIN {
            parts.push(format!("{column} >= {}", self.placeholder(Value::Number(first))));
        }
        if last < i64::MAX {
            parts.push(format!("{column} <= {}", self.placeholder(Value::Number(last))));
        }
        if parts.is_empty() {
            parts.push(format!("{column} IS NOT NULL"));
        }
        format!("({})", parts.join(" AND "))
    }
}

impl TextColumn {
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Sub => "e.sub",
            Self::Username => "e.username",
            Self::Client => "e.client_id",
            Self::Sid => "e.sid",
            Self::Jti => "e.jti",
            Self::Route => "e.route",
            Self::Template => "e.template",
            Self::Path => "e.path",
            Self::Method => "e.method",
            Self::Outcome => "e.outcome",
            Self::Action => "e.action",
            Self::Class => "e.class",
            Self::Reason => "e.reason",
            Self::Request => "e.request_id",
            Self::Service => "e.service",
            Self::Instance => "e.instance",
            Self::Identity => "e.identity",
            Self::Country => "e.country",
        }
    }
}

impl NumberColumn {
    const fn sql(self) -> &'static str {
        match self {
            Self::Time => "e.time",
            Self::Status => "e.status",
            Self::Duration => "e.duration_us",
            Self::Seq => "e.seq",
            Self::Asn => "e.asn",
        }
    }
}

impl IdColumn {
    const fn sql(self) -> &'static str {
        match self {
            Self::Id => "e.id",
            Self::Boot => "e.boot",
        }
    }
}

/// The first text after all that begin with `prefix`, in the order of bytes; none if there is no such text.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use shared::clock::UtcMicros;

    use super::*;

    #[test]
    fn what_was_given_is_never_part_of_the_text() {
        let now = UtcMicros::from_seconds(1);
        let query = "sub=%27%3B+DROP+TABLE+event%3B--&ip=192.0.2.1&status=401&q=path:%22DROP%22*+-%22DROP%22";
        let search = Search::parse(query, now).unwrap();

        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let statement = Statement::page(&search, dialect);

            assert!(
                !statement.sql.to_uppercase().contains("DROP"),
                "{}",
                statement.sql
            );
            assert_eq!(statement.values.len(), 7);
            assert!(statement.sql.ends_with("LIMIT $1"), "{}", statement.sql);
        }
    }

    #[test]
    fn a_user_is_looked_for_by_each_of_its_columns_apart() {
        let search =
            Search::parse("q=user:alice+outcome:denied&limit=10", UtcMicros::from_seconds(1)).unwrap();

        let sql = Statement::page(&search, Dialect::Postgres).sql;

        let parts: Vec<_> = sql.split(" UNION ALL ").collect();
        let [by_sub, by_name] = parts.as_slice() else {
            panic!("{sql}")
        };
        assert!(
            by_sub.contains("(e.sub = $2)") && !by_sub.contains("e.username"),
            "{sql}"
        );
        assert!(
            by_name.contains("(e.username = $4)") && by_name.contains("((e.sub = $5)) IS NOT TRUE"),
            "{sql}"
        );
    }

    #[test]
    fn a_prefix_ends_before_the_next_text_that_has_it_not() {
        for (prefix, expected) in [
            ("/orders/", Some("/orders0")),
            ("a\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after_all_with(prefix).as_deref(), expected, "{prefix}");
        }
    }
}
