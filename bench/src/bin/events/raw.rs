//! What is measured beside the collector: the same rows into the same table by one kind of statement, and nothing else.

use std::ops::Range;
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::process::cpu_of;
use shared::clock::{Clock as _, SystemClock};
use shared::event::event_id;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use uuid::Uuid;

use crate::drain::{Cost, Memory};
use crate::servers::Servers;

/// Transactions at a time, as the collector has.
const CONNECTIONS: usize = 2;

/// What PostgreSQL's binary format begins with: its signature, no flags, no more header.
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A UUIDv7, since the order of ids decides what an index costs.
const ID_OF_NOW: &str = "(encode(substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3), 'hex') \
    || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid";

/// How rows are inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `INSERT … SELECT … FROM UNNEST`, an array for each column.
    Unnest,
    /// `COPY` into a table of the connection, and from there into the table, so that duplicates can be left out.
    Staged,
    /// `COPY` straight into the table, which a single duplicate undoes.
    Copy,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Unnest, Self::Staged, Self::Copy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unnest => "UNNEST",
            Self::Staged => "COPY into a staging table",
            Self::Copy => "COPY, no duplicate allowed",
        }
    }
}

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

    /// Appends the field of one row in PostgreSQL's binary format.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Outcome<()> {
        match self {
            Self::Uuid(values) => field(out, of(values, row).map(|id| id.as_bytes().as_slice())),
            Self::Text(values) => field(out, of(values, row).map(String::as_bytes)),
            Self::Big(values) => field(out, of(values, row).map(|value| value.to_be_bytes()).as_ref()),
            Self::Int(values) => field(out, of(values, row).map(|value| value.to_be_bytes()).as_ref()),
            Self::Bool(values) => field(out, of(values, row).map(|value| [u8::from(*value)]).as_ref()),
            Self::Bytes(values) => field(out, of(values, row)),
        }
    }
}

fn of<T>(values: &[Option<T>], row: usize) -> Option<&T> {
    values.get(row)?.as_ref()
}

fn field<B: AsRef<[u8]> + ?Sized>(out: &mut Vec<u8>, value: Option<&B>) -> Outcome<()> {
    let Some(bytes) = value.map(AsRef::as_ref) else {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    };
    out.extend_from_slice(&i32::try_from(bytes.len())?.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// The first column of rows.
fn values<'r, T>(found: &'r [PgRow]) -> Outcome<Vec<Option<T>>>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Rows of the table `event`, by column.
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

    /// Gives every row an id of now and another batch, since rows with the same ids are stored.
    fn renew(&mut self) {
        let batch = Uuid::new_v4();
        for ((name, _), column) in self.names.iter().zip(&mut self.columns) {
            let Column::Uuid(values) = column else { continue };
            for value in values {
                match name.as_str() {
                    "id" => *value = Some(event_id(SystemClock.now())),
                    "batch_id" => *value = Some(batch),
                    _ => {}
                }
            }
        }
    }

    fn list(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// Inserts all of them beside what is there, so many in a transaction.
    pub(crate) async fn insert(
        &mut self,
        servers: &Servers,
        pool: &PgPool,
        (way, batch): (Way, usize),
    ) -> Outcome<Cost> {
        self.renew();
        let (began, postgres) = (Instant::now(), servers.postgres_cpu()?);
        let own = cpu_of(std::process::id())?;
        let this = &*self;
        let inserting = (0..CONNECTIONS).map(|lane| this.insert_lane(pool, (way, batch), lane));
        let connections = futures_util::future::try_join_all(inserting).await?;
        let cost = Cost {
            events: self.count as u64,
            took: began.elapsed(),
            client: cpu_of(std::process::id())?.saturating_sub(own),
            database: servers.postgres_cpu()?.saturating_sub(postgres),
            broker: Duration::ZERO,
            memory: Memory::default(),
        };
        // Only now: what a server's process has used is counted while it lives.
        for connection in connections {
            connection.close().await?;
        }
        Ok(cost)
    }

    /// Adds so many rows, as fast as the server can make them of those that are here.
    pub(crate) async fn fill(&self, pool: &PgPool, rows: u64) -> Outcome<()> {
        let values: Vec<_> = self
            .names
            .iter()
            .map(|(name, _)| match name.as_str() {
                "id" => ID_OF_NOW,
                "batch_id" => "batch.id",
                other => other,
            })
            .collect();
        let statement = format!(
            "WITH batch AS (SELECT gen_random_uuid() AS id), model AS (SELECT * FROM event LIMIT $1) \
             INSERT INTO event ({}) SELECT {} FROM model, batch",
            self.list(),
            values.join(", ")
        );
        let mut left = rows;
        while left > 0 {
            let some = left.min(self.count as u64);
            let adding = sqlx::query(AssertSqlSafe(statement.clone())).bind(i64::try_from(some)?);
            adding.execute(pool).await?;
            left -= some;
        }
        Ok(())
    }

    /// Every [`CONNECTIONS`]th batch.
    async fn insert_lane(
        &self,
        pool: &PgPool,
        (way, batch): (Way, usize),
        lane: usize,
    ) -> Outcome<PgConnection> {
        let mut connection = pool.acquire().await?.detach();
        if way == Way::Staged {
            let staging = "CREATE TEMPORARY TABLE staging (LIKE event) ON COMMIT DELETE ROWS";
            connection.execute(staging).await?;
        }
        for from in (0..self.count).step_by(batch).skip(lane).step_by(CONNECTIONS) {
            let range = from..self.count.min(from + batch);
            match way {
                Way::Unnest => self.unnest(&mut connection, range).await?,
                Way::Copy => self.copy(&mut connection, "event", range).await?,
                Way::Staged => {
                    let mut tx = connection.begin().await?;
                    self.copy(&mut tx, "staging", range).await?;
                    let list = self.list();
                    let move_on = format!(
                        "INSERT INTO event ({list}) SELECT {list} FROM staging ON CONFLICT DO NOTHING"
                    );
                    sqlx::query(AssertSqlSafe(move_on)).execute(&mut *tx).await?;
                    tx.commit().await?;
                }
            }
        }
        Ok(connection)
    }

    async fn unnest(&self, connection: &mut PgConnection, range: Range<usize>) -> Outcome<()> {
        let arrays = self
            .names
            .iter()
            .zip(1..)
            .map(|((_, kind), at)| format!("${at}::{kind}[]"));
        let statement = format!(
            "INSERT INTO event ({}) SELECT * FROM UNNEST({}) ON CONFLICT DO NOTHING",
            self.list(),
            arrays.collect::<Vec<_>>().join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
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
        query.execute(connection).await?;
        Ok(())
    }

    async fn copy(&self, connection: &mut PgConnection, table: &str, range: Range<usize>) -> Outcome<()> {
        let fields = i16::try_from(self.columns.len())?;
        let mut bytes = COPY_HEAD.to_vec();
        for row in range {
            bytes.extend_from_slice(&fields.to_be_bytes());
            for column in &self.columns {
                column.write(row, &mut bytes)?;
            }
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", self.list());
        let mut copying = connection.copy_in_raw(&statement).await?;
        copying.send(bytes).await?;
        copying.finish().await?;
        Ok(())
    }
}

fn part<T: Clone>(values: &[T], range: &Range<usize>) -> Vec<T> {
    values.get(range.clone()).unwrap_or_default().to_vec()
}
