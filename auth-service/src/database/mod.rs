//! The database: SQLite or PostgreSQL behind one transaction type, with the same SQL wherever both understand it.
//!
//! SQLite has one writer connection, whose transactions begin as writers, and a pool of readers; PostgreSQL has a pool.
//! `$1` placeholders, `BIGINT` microseconds and texts work on both.

mod hold;
mod open;
mod url;

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use tokio::sync::watch;

pub(crate) use hold::Hold;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

/// Runs a statement and returns how many rows it changed.
macro_rules! execute {
    ($tx:expr, $query:expr) => {
        match $tx {
            $crate::database::Tx::Sqlite(tx) => {
                $query.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::database::Tx::Postgres(tx) => {
                $query.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::database::DatabaseError::from)
    };
}

/// Runs a query and returns what its method `fetch_one`, `fetch_optional` or `fetch_all` returns.
macro_rules! fetch {
    ($method:ident, $tx:expr, $query:expr) => {
        match $tx {
            $crate::database::Tx::Sqlite(tx) => $query.$method(&mut **tx).await,
            $crate::database::Tx::Postgres(tx) => $query.$method(&mut **tx).await,
        }
        .map_err($crate::database::DatabaseError::from)
    };
}

pub(crate) use {execute, fetch};

/// Something went wrong with the database. Holds no value of a row.
#[derive(Debug, thiserror::Error)]
#[error("the database failed: {0}")]
pub(crate) struct DatabaseError(#[from] sqlx::Error);

impl DatabaseError {
    /// Whether it may pass by itself: the server is gone or too busy.
    pub(crate) fn is_transient(&self) -> bool {
        match &self.0 {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // 08 connection, 40 serialisation and deadlock, 53 resources, 55 locks, 57 shutdown, 5 SQLITE_BUSY.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                code == "5"
                    || ["08", "40", "53", "55", "57"]
                        .iter()
                        .any(|class| code.starts_with(class) && code.len() == 5)
            }),
            _ => false,
        }
    }
}

/// The database of this process.
#[derive(Debug)]
pub(crate) struct Database {
    pools: Pools,
    /// How many transactions this process has committed, for those who act on commits.
    commits: watch::Sender<u64>,
}

#[derive(Debug)]
enum Pools {
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        options: Box<PgConnectOptions>,
    },
}

/// A transaction. Dropped, it is rolled back.
#[derive(Debug)]
pub(crate) enum Tx<'c> {
    /// On SQLite.
    Sqlite(Transaction<'c, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'c, Postgres>),
}

impl Tx<'_> {
    /// Makes what was done last.
    pub(crate) async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(DatabaseError::from)
    }
}

impl Database {
    /// A transaction that only reads.
    pub(crate) async fn read(&self) -> Result<Tx<'static>, DatabaseError> {
        Ok(match &self.pools {
            Pools::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
            Pools::Postgres { pool, .. } => Tx::Postgres(pool.begin().await?),
        })
    }

    /// A transaction that may write.
    ///
    /// On SQLite it is the only one until it ends: one that turned from reader to writer would fail at once when another
    /// one has written meanwhile, whatever the busy time-out.
    pub(crate) async fn write(&self) -> Result<Tx<'static>, DatabaseError> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres { pool, .. } => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Makes the changes of `tx` last and tells those who act on commits.
    pub(crate) async fn commit(&self, tx: Tx<'static>) -> Result<(), DatabaseError> {
        tx.commit().await?;
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    /// Changes with every commit of this process.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Whether it answers.
    pub(crate) async fn answers(&self) -> bool {
        let asking = async {
            let mut tx = self.read().await?;
            fetch!(fetch_one, &mut tx, sqlx::query_as::<_, (i32,)>("SELECT 1"))
        };
        let asked = tokio::time::timeout(std::time::Duration::from_secs(3), asking).await;
        matches!(asked, Ok(Ok(_)))
    }

    /// Closes its connections.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, .. } => pool.close().await,
        }
    }
}
