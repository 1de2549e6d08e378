//! A hold that one process at a time has on a task, for as long as its connection lives.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, SqlitePool};
use tokio::time::timeout;

use super::{Database, DatabaseError, Pools, Tx};

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

    /// Uses the connection, so that its server does not take us for frozen.
    pub async fn touch(&mut self) -> Result<(), DatabaseError> {
        match &mut self.connection {
            HoldConnection::Sqlite(_) => Ok(()),
            HoldConnection::Postgres(connection) => Ok(connection.ping().await?),
        }
    }

    /// A transaction on the connection of the hold.
    pub async fn begin(&mut self) -> Result<Tx<'_>, DatabaseError> {
        Ok(match &mut self.connection {
            HoldConnection::Sqlite(writer) => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            HoldConnection::Postgres(connection) => Tx::Postgres(connection.begin().await?),
        })
    }
}
