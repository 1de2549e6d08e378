//! What is measured beside the collector: the same rows into the same table by the same kind of statement, and nothing else.

use std::time::Instant;

use bench::Outcome;
use bench::process::cpu_of;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use crate::drain::Cost;
use crate::servers::Servers;

/// Rows in a transaction, as the collector's default.
const BATCH: usize = 500;

/// Transactions at a time, as the collector has.
const CONNECTIONS: usize = 2;

/// A column of all rows.
enum Column {
    Uuid(Vec<Option<Uuid>>),
    Text(Vec<Option<String>>),
    Big(Vec<Option<i64>>),
    Int(Vec<Option<i32>>),
    Bool(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    async fn read(pool: &PgPool, name: &str, kind: &str, rows: usize) -> Outcome<Self> {
        let select = format!("SELECT {name} FROM event ORDER BY batch_id, ordinal LIMIT {rows}");
        let found = sqlx::query(AssertSqlSafe(select)).fetch_all(pool).await?;
        Ok(match kind {
            "uuid" => Self::Uuid(values(&found)?),
            "text" => Self::Text(values(&found)?),
            "int8" => Self::Big(values(&found)?),
            "int4" => Self::Int(values(&found)?),
            "bool" => Self::Bool(values(&found)?),
            "bytea" => Self::Bytes(values(&found)?),
            _ => return Err(format!("a column of type {kind}").into()),
        })
    }
}

/// The first column of rows.
fn values<'r, T>(found: &'r [PgRow]) -> Outcome<Vec<Option<T>>>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// The rows of the table `event`, by column.
pub(crate) struct Rows {
    names: Vec<(String, String)>,
    columns: Vec<Column>,
    count: usize,
}

impl Rows {
    /// The first so many that are stored.
    pub(crate) async fn read(pool: &PgPool, count: usize) -> Outcome<Self> {
        let names: Vec<(String, String)> = sqlx::query_as(
            "SELECT column_name::text, udt_name::text FROM information_schema.columns \
             WHERE table_name = 'event' AND table_schema = 'public' ORDER BY ordinal_position",
        )
        .fetch_all(pool)
        .await?;
        let mut columns = Vec::new();
        for (name, kind) in &names {
            columns.push(Column::read(pool, name, kind, count).await?);
        }
        Ok(Self {
            names,
            columns,
            count,
        })
    }

    fn statement(&self) -> String {
        let list: Vec<_> = self.names.iter().map(|(name, _)| name.as_str()).collect();
        let arrays = self
            .names
            .iter()
            .zip(1..)
            .map(|((_, kind), at)| format!("${at}::{kind}[]"));
        format!(
            "INSERT INTO event ({}) SELECT * FROM UNNEST({})",
            list.join(", "),
            arrays.collect::<Vec<_>>().join(", ")
        )
    }

    /// Inserts all of them into the table, which is emptied before.
    pub(crate) async fn insert(&self, servers: &Servers, pool: &PgPool) -> Outcome<Cost> {
        sqlx::query("TRUNCATE event").execute(pool).await?;
        let statement = self.statement();
        let (began, postgres) = (Instant::now(), servers.postgres_cpu()?);
        let own = cpu_of(std::process::id())?;
        let inserting = (0..CONNECTIONS).map(|lane| self.insert_lane(pool, &statement, lane));
        futures_util::future::try_join_all(inserting).await?;
        Ok(Cost {
            events: self.count as u64,
            took: began.elapsed(),
            client: cpu_of(std::process::id())?.saturating_sub(own),
            database: servers.postgres_cpu()?.saturating_sub(postgres),
            broker: std::time::Duration::ZERO,
            resident_max: 0,
        })
    }

    /// Every [`CONNECTIONS`]th batch.
    async fn insert_lane(&self, pool: &PgPool, statement: &str, lane: usize) -> Outcome<()> {
        for from in (0..self.count).step_by(BATCH).skip(lane).step_by(CONNECTIONS) {
            let range = from..self.count.min(from + BATCH);
            let mut query = sqlx::query(AssertSqlSafe(statement.to_owned()));
            for column in &self.columns {
                query = match column {
                    Column::Uuid(values) => query.bind(part(values, &range)),
                    Column::Text(values) => query.bind(part(values, &range)),
                    Column::Big(values) => query.bind(part(values, &range)),
                    Column::Int(values) => query.bind(part(values, &range)),
                    Column::Bool(values) => query.bind(part(values, &range)),
                    Column::Bytes(values) => query.bind(part(values, &range)),
                };
            }
            query.execute(pool).await?;
        }
        Ok(())
    }
}

fn part<T: Clone>(values: &[T], range: &std::ops::Range<usize>) -> Vec<T> {
    values.get(range.clone()).unwrap_or_default().to_vec()
}
