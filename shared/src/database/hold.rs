//! A hold that one process at a time has on a task, for as long as its connection lives.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::timeout;

use super::{BEGIN_WRITING, Database, DatabaseError, Pools, SqlitePool, Tx};

/// How long a connection lies idle before it is used for nothing else than to be seen: far less than what any task allows.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// How long its server may take to answer then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A task that one process at a time may do.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The number of its lock among the advisory locks of the database.
    pub lock: i64,
    /// How long its holder may be silent, in PostgreSQL's words: one that is silent for longer is frozen, and the server
    /// ends its session so that another one can go on. `None` if there is no such bound.
    pub frozen_after: Option<&'static str>,
}

/// A connection that may have a hold. What needs the hold is done on this very connection, so that it cannot be done after
/// the hold is lost.
#[derive(Debug)]
pub struct Hold {
    lock: i64,
    connection: HoldConnection,
    used: Instant,
}

#[derive(Debug)]
enum HoldConnection {
    /// The process that uses a SQLite file is its only one; should there be two, their transactions take turns.
    Sqlite(SqlitePool),
    /// A session-level advisory lock, gone with the connection.
    Postgres(Box<PgConnection>),
}

impl Database {
    /// Connects for the hold on `task`, which is not yet taken.
    pub async fn connect_for_hold(&self, task: Task) -> Result<Hold, DatabaseError> {
        let connection = match &self.pools {
            Pools::Sqlite { writer, .. } => HoldConnection::Sqlite(writer.clone()),
            Pools::Postgres { options, .. } => {
                HoldConnection::Postgres(Box::new(connect(options, task).await?))
            }
        };
        Ok(Hold {
            lock: task.lock,
            connection,
            used: Instant::now(),
        })
    }
}

async fn connect(options: &PgConnectOptions, task: Task) -> Result<PgConnection, DatabaseError> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await?;
        if let Some(frozen_after) = task.frozen_after {
            // Asked for by name because PostgreSQL before 14 does not have it.
            sqlx::query(
                "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'idle_session_timeout'",
            )
            .bind(frozen_after)
            .execute(&mut connection)
            .await?;
        }
        Ok(connection)
    };
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or(Err(DatabaseError::TimedOut))
}

impl Hold {
    /// Takes the hold, unless another process has it.
    pub async fn try_take(&mut self) -> Result<bool, DatabaseError> {
        match &mut self.connection {
            HoldConnection::Sqlite(_) => Ok(true),
            HoldConnection::Postgres(connection) => {
                let (taken,) = sqlx::query_as::<_, (bool,)>("SELECT pg_try_advisory_lock($1)")
                    .bind(self.lock)
                    .fetch_one(&mut **connection)
                    .await?;
                Ok(taken)
            }
        }
    }

    /// Uses a connection that lies idle, so that its server does not take us for frozen. To be called every few seconds by who waits.
    pub async fn keep(&mut self) -> Result<(), DatabaseError> {
        if self.used.elapsed() < IDLE_MAX {
            return Ok(());
        }
        self.used = Instant::now();
        match &mut self.connection {
            HoldConnection::Sqlite(_) => Ok(()),
            HoldConnection::Postgres(connection) => timeout(ANSWER_TIMEOUT, connection.ping())
                .await
                .map_or(Err(DatabaseError::TimedOut), |answered| Ok(answered?)),
        }
    }

    /// A transaction on the connection of the hold.
    pub async fn begin(&mut self) -> Result<Tx<'_>, DatabaseError> {
        self.used = Instant::now();
        Ok(match &mut self.connection {
            HoldConnection::Sqlite(writer) => Tx::Sqlite(writer.begin(BEGIN_WRITING).await?),
            HoldConnection::Postgres(connection) => Tx::Postgres(connection.begin().await?),
        })
    }
}
