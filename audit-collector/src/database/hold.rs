//! A hold that one process at a time has on a task, for as long as its connection lives.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, SqlitePool};
use tokio::time::timeout;

use super::{Database, DatabaseError, Pools, Tx};

/// The number of the leader's lock among the advisory locks of its database: "gatelog" in ASCII, and a number.
const LEADER: i64 = 0x6761_7465_6c6f_6701;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A leader that does nothing for so long is frozen, and the server ends its session so that another one can lead.
const FROZEN_AFTER: &str = "10s";

/// A connection that may hold the leader's lock. What needs the hold is done on this very connection, so that it cannot be
/// done after the hold is lost.
#[derive(Debug)]
pub(crate) enum Hold {
    /// The process that uses a SQLite file is its only one; should there be two, their transactions take turns.
    Sqlite(SqlitePool),
    /// A session-level advisory lock, gone with the connection.
    Postgres(Box<PgConnection>),
}

impl Database {
    /// Connects for a hold that is not yet taken.
    pub(crate) async fn connect_for_hold(&self) -> Result<Hold, DatabaseError> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => Hold::Sqlite(writer.clone()),
            Pools::Postgres { options, .. } => Hold::Postgres(Box::new(connect(options).await?)),
        })
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await?;
        // Asked for by name because PostgreSQL before 14 does not have it.
        sqlx::query(
            "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'idle_session_timeout'",
        )
        .bind(FROZEN_AFTER)
        .execute(&mut connection)
        .await?;
        Ok(connection)
    };
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or(Err(DatabaseError::TimedOut))
}

impl Hold {
    /// Takes the hold of the leader, unless another process has it.
    pub(crate) async fn try_take(&mut self) -> Result<bool, DatabaseError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(connection) => {
                let (taken,) = sqlx::query_as::<_, (bool,)>("SELECT pg_try_advisory_lock($1)")
                    .bind(LEADER)
                    .fetch_one(&mut **connection)
                    .await?;
                Ok(taken)
            }
        }
    }

    /// A transaction on the connection of the hold.
    pub(crate) async fn begin(&mut self) -> Result<Tx<'_>, DatabaseError> {
        Ok(match self {
            Self::Sqlite(writer) => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(connection) => Tx::Postgres(connection.begin().await?),
        })
    }
}
