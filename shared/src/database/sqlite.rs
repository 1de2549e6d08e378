//! SQLite's connections, each of which is a thread of its own that statements are handed over to.
//!
//! They are lent without a word to their threads: sqlx's own pool asks a connection that comes back whether it lives, and to set a
//! limit of time has its thread stop and wait. Beside work that fills a processor's caches, each such word costs as much as a
//! statement.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, PoolError, QueueMode, RecycleResult, Timeouts,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Database, SqlSafeStr as _, Sqlite, SqliteConnection};
use sqlx_core::transaction::TransactionManager as _;

use super::PoolUse;
use super::open::ACQUIRE_TIMEOUT;

/// Steps of SQLite's machine between two looks at the clock: a fraction of a millisecond.
const LIMIT_LOOK_EVERY: i32 = 10_000;

type Transactions = <Sqlite as Database>::TransactionManager;

/// Connections to a file. Clones are the same.
#[derive(Clone, Debug)]
pub struct SqlitePool(Pool<Opener>);

/// A connection that is somebody's until dropped.
#[derive(Debug)]
pub struct Lent(Object<Opener>);

/// A transaction on a connection. Dropped, it is rolled back.
#[derive(Debug)]
pub struct SqliteTx {
    connection: Lent,
    is_open: bool,
}

/// What opens connections.
#[derive(Debug)]
struct Opener {
    options: SqliteConnectOptions,
    /// How long a borrower may use one at a time.
    limit: Option<Duration>,
    /// What moments are counted from.
    epoch: Instant,
}

/// A connection, and when SQLite gives up what its borrower does.
#[derive(Debug)]
struct Limited {
    connection: SqliteConnection,
    /// In microseconds since the opener's epoch.
    until: Arc<AtomicU64>,
}

impl SqlitePool {
    /// At most `max` connections, none of which is open yet. Who borrows one may use it for `limit`, after which SQLite gives up, as a
    /// server would.
    pub(super) fn new(
        options: SqliteConnectOptions,
        max: u32,
        limit: Option<Duration>,
    ) -> Result<Self, sqlx::Error> {
        let opener = Opener {
            options,
            limit,
            epoch: Instant::now(),
        };
        let config = PoolConfig {
            max_size: usize::try_from(max).unwrap_or(usize::MAX),
            timeouts: Timeouts {
                wait: Some(ACQUIRE_TIMEOUT),
                ..Timeouts::new()
            },
            // The one whose caches are still filled.
            queue_mode: QueueMode::Lifo,
        };
        Pool::builder(opener)
            .config(config)
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| sqlx::Error::Configuration(error.into()))
    }

    /// A connection, as soon as one is free.
    pub async fn lend(&self) -> Result<Lent, sqlx::Error> {
        self.0.get().await.map(Lent).map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed => sqlx::Error::PoolClosed,
            other => sqlx::Error::Configuration(other.into()),
        })
    }

    /// A transaction that `statement` begins.
    pub(super) async fn begin(&self, statement: &'static str) -> Result<SqliteTx, sqlx::Error> {
        let mut connection = self.lend().await?;
        // One that is cut off is undone by the connection's thread.
        Transactions::begin(&mut connection, Some(statement.into_sql_str())).await?;
        Ok(SqliteTx {
            connection,
            is_open: true,
        })
    }

    pub(super) fn usage(&self) -> PoolUse {
        let status = self.0.status();
        let count = |size| u32::try_from(size).unwrap_or(u32::MAX);
        PoolUse {
            open: count(status.size),
            idle: count(status.available),
        }
    }

    /// Closes what is open. What is lent is closed when it comes back.
    pub(super) async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for Limited { connection, .. } in idle {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "a connection to the database did not close in order");
            }
        }
    }
}

impl Opener {
    /// The moment after which SQLite gives up what is begun now.
    fn until(&self, limit: Duration) -> u64 {
        micros(self.epoch.elapsed() + limit)
    }
}

impl Manager for Opener {
    type Type = Limited;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Limited, sqlx::Error> {
        let mut connection = SqliteConnection::connect_with(&self.options).await?;
        let until = Arc::new(AtomicU64::new(u64::MAX));
        if let Some(limit) = self.limit {
            until.store(self.until(limit), Ordering::Relaxed);
            let (until, epoch) = (Arc::clone(&until), self.epoch);
            connection
                .lock_handle()
                .await?
                .set_progress_handler(LIMIT_LOOK_EVERY, move || {
                    micros(epoch.elapsed()) < until.load(Ordering::Relaxed)
                });
        }
        Ok(Limited { connection, until })
    }

    async fn recycle(&self, limited: &mut Limited, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if let Some(limit) = self.limit {
            limited.until.store(self.until(limit), Ordering::Relaxed);
        }
        Ok(())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0.connection
    }
}

impl SqliteTx {
    /// Makes what was done last.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        Transactions::commit(&mut self.connection).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if self.is_open {
            // Before whatever the next borrower asks, since the connection's thread takes one thing after the other.
            Transactions::start_rollback(&mut self.connection);
        }
    }
}

impl Deref for SqliteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for SqliteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::DatabaseError;

    /// Counts until it is stopped.
    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

    fn pool(folder: &tempfile::TempDir, limit: Option<Duration>) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("file.db"))
            .create_if_missing(true);
        SqlitePool::new(options, 1, limit).unwrap()
    }

    async fn count(pool: &SqlitePool, select: &'static str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(select)
            .fetch_one(&mut *pool.lend().await?)
            .await
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_the_next_borrower_has_all_of_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder, Some(Duration::from_millis(200)));

        // The second time is on a connection whose first moment has passed.
        for _ in 0..2 {
            let error = DatabaseError::from(count(&pool, ENDLESS).await.unwrap_err());
            assert!(error.is_too_costly(), "{error}");
            let short = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT COUNT(*) FROM n";
            assert_eq!(count(&pool, short).await.unwrap(), 3_000);
        }
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_is_undone_before_the_next_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder, None);
        sqlx::query("CREATE TABLE t (i INTEGER)")
            .execute(&mut *pool.lend().await.unwrap())
            .await
            .unwrap();
        let insert = async |tx: &mut SqliteTx| {
            sqlx::query("INSERT INTO t VALUES (1)")
                .execute(&mut **tx)
                .await
                .unwrap();
        };

        let mut dropped = pool.begin("BEGIN IMMEDIATE").await.unwrap();
        insert(&mut dropped).await;
        drop(dropped);
        let mut kept = pool.begin("BEGIN IMMEDIATE").await.unwrap();
        insert(&mut kept).await;
        kept.commit().await.unwrap();

        assert_eq!(count(&pool, "SELECT COUNT(*) FROM t").await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_is_closed_lends_nothing_and_has_nothing_open() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder, None);
        assert_eq!(count(&pool, "SELECT 1").await.unwrap(), 1);
        assert_eq!(pool.usage(), PoolUse { open: 1, idle: 1 });

        pool.close().await;

        assert!(matches!(pool.lend().await, Err(sqlx::Error::PoolClosed)));
        assert_eq!(pool.usage().open, 0);
    }
}
