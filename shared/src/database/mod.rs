//! The database: SQLite or PostgreSQL behind one transaction type, with the same SQL wherever both understand it.
//!
//! SQLite has one writer connection, whose transactions begin as writers, and a pool of readers; PostgreSQL has a pool
//! for writing and one for reading, which bounds what searches may take. `$1` placeholders, `BIGINT` microseconds and
//! texts work on both.

mod error;
mod hold;
mod look;
pub mod metrics;
mod open;
mod revivable;
mod sqlite;
mod url;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Postgres, Transaction};
use tokio::sync::watch;
use tokio::time::timeout;

pub use error::DatabaseError;
pub use hold::{Hold, Task};
pub use look::Tables;
pub use open::Schema;
pub use revivable::RevivablePool;
pub use sqlite::{SqlitePool, SqliteTx};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a transaction of SQLite's writer begins: as a writer, since one that turned from reader to writer would fail at once if another one
/// had written meanwhile.
const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";

/// How long `/readyz` waits for the database.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs a statement in a transaction and returns how many rows it changed.
#[macro_export]
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

/// Runs a query in a transaction and returns what its method `fetch_one`, `fetch_optional` or `fetch_all` returns.
#[macro_export]
macro_rules! fetch {
    ($method:ident, $tx:expr, $query:expr) => {
        match $tx {
            $crate::database::Tx::Sqlite(tx) => $query.$method(&mut **tx).await,
            $crate::database::Tx::Postgres(tx) => $query.$method(&mut **tx).await,
        }
        .map_err($crate::database::DatabaseError::from)
    };
}

/// Runs a single query of a reader, without a transaction: a caller that goes away in the middle of a `BEGIN` would leave
/// the transaction open, and the next reader would see its old snapshot.
#[macro_export]
macro_rules! read {
    ($method:ident, $database:expr, $query:expr) => {
        $database
            .in_time($crate::database::Purpose::Read, async {
                match $database.readers() {
                    $crate::database::Readers::Sqlite(pool) => $query.$method(&mut *pool.lend().await?).await,
                    $crate::database::Readers::Postgres(pool) => $query.$method(&*pool.get()).await,
                }
                .map_err($crate::database::DatabaseError::from)
            })
            .await
    };
}

pub use crate::{execute, fetch, read};

/// What a connection is for, which decides how long work on it may take as seen from here. PostgreSQL gives up before.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

impl Purpose {
    const fn limit(self) -> Duration {
        match self {
            Self::Read => Duration::from_secs(15),
            Self::Write => Duration::from_secs(35),
        }
    }
}

/// The database of this process. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    pools: Pools,
    /// How many transactions this process has committed, for those who act on commits.
    commits: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres {
        writer: RevivablePool,
        reader: RevivablePool,
        options: Box<PgConnectOptions>,
    },
}

/// Where reads go.
#[derive(Debug)]
pub enum Readers<'d> {
    /// To a file.
    Sqlite(&'d SqlitePool),
    /// To a server.
    Postgres(&'d RevivablePool),
}

/// How a pool of connections is used at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are open.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
}

/// A transaction. Dropped, it is rolled back.
#[derive(Debug)]
pub enum Tx<'c> {
    /// On SQLite.
    Sqlite(SqliteTx),
    /// On PostgreSQL.
    Postgres(Transaction<'c, Postgres>),
}

impl Tx<'_> {
    /// Makes what was done last.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(DatabaseError::from)
    }
}

impl Database {
    /// A transaction that may write.
    ///
    /// On SQLite it is the only one until it ends: one that turned from reader to writer would fail at once when another
    /// one has written meanwhile, whatever the busy time-out.
    pub async fn write(&self) -> Result<Tx<'static>, DatabaseError> {
        self.in_time(Purpose::Write, Box::pin(self.begin())).await
    }

    /// A transaction that may write, to be begun and done within one [`Database::in_time`].
    pub async fn begin(&self) -> Result<Tx<'static>, DatabaseError> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Tx::Sqlite(writer.begin(BEGIN_WRITING).await?),
            Pools::Postgres { writer, .. } => Tx::Postgres(writer.begin().await?),
        })
    }

    /// A transaction that only reads.
    pub async fn read(&self) -> Result<Tx<'static>, DatabaseError> {
        // Boxed because a beginning is large, and callers hold it in every future of theirs.
        let beginning = Box::pin(async {
            Ok(match &self.pools {
                Pools::Sqlite { reader, .. } => Tx::Sqlite(reader.begin("BEGIN").await?),
                Pools::Postgres { reader, .. } => Tx::Postgres(reader.begin().await?),
            })
        });
        self.in_time(Purpose::Read, beginning).await
    }

    /// Makes the changes of `tx` last and tells those who act on commits.
    pub async fn commit(&self, tx: Tx<'static>) -> Result<(), DatabaseError> {
        tx.commit().await?;
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    /// Changes with every commit of this process.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// The pool or pools that read.
    pub const fn readers(&self) -> Readers<'_> {
        match &self.pools {
            Pools::Sqlite { reader, .. } => Readers::Sqlite(reader),
            Pools::Postgres { reader, .. } => Readers::Postgres(reader),
        }
    }

    /// Whether it is a server, which can be away for a while.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.pools, Pools::Postgres { .. })
    }

    /// Does `work` in its time. A server that is silent for longer is taken for gone, and its connections with it.
    ///
    /// Work on SQLite is not cut off: it runs in this process, and a `BEGIN` that is cut off would block the only writer.
    pub async fn in_time<T>(
        &self,
        purpose: Purpose,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let pool = match (&self.pools, purpose) {
            (Pools::Sqlite { .. }, _) => return work.await,
            (Pools::Postgres { reader, .. }, Purpose::Read) => reader,
            (Pools::Postgres { writer, .. }, Purpose::Write) => writer,
        };
        let result = timeout(purpose.limit(), work)
            .await
            .unwrap_or(Err(DatabaseError::TimedOut));
        if matches!(&result, Err(error) if error.is_silence()) {
            pool.count_silence();
        } else {
            pool.forget_silence();
        }
        result
    }

    /// Whether it answers.
    pub async fn answers(&self) -> bool {
        let asking = async { read!(fetch_one, self, sqlx::query_as::<_, (i32,)>("SELECT 1")) };
        matches!(timeout(ANSWER_TIMEOUT, asking).await, Ok(Ok(_)))
    }

    /// How the connections are used: those that write, and those that read.
    pub fn usage(&self) -> (PoolUse, PoolUse) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => (writer.usage(), reader.usage()),
            Pools::Postgres { writer, reader, .. } => (usage_of(&writer.get()), usage_of(&reader.get())),
        }
    }

    /// Closes its connections. Those that are lent out to work that never ends are given up.
    pub async fn close(&self) {
        if timeout(CLOSE_TIMEOUT, self.close_pools()).await.is_err() {
            tracing::warn!("some connections to the database did not close in order");
        }
    }

    async fn close_pools(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres { writer, reader, .. } => {
                reader.get().close().await;
                writer.get().close().await;
            }
        }
    }
}

fn usage_of<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> PoolUse {
    PoolUse {
        open: pool.size(),
        idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
    }
}
