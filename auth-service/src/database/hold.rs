//! A hold that one process at a time has on a task, for as long as its connection lives.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, SqlitePool};

use super::{Database, DatabaseError, Pools, Tx};

/// The number of the outbox relay's lock among the advisory locks of its database: "gatelog" and a digit.
const OUTBOX_RELAY: i64 = 0x0067_6174_656c_6f67;

/// A connection that may hold the relay's lock. What needs the hold is done on this very connection, so that it cannot be
/// done after the hold is lost.
#[derive(Debug)]
pub(crate) enum Hold {
    /// The process that uses a SQLite file is its only one; should there be two, numbering notices.
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
    Ok(PgConnection::connect_with(options).await?)
}

impl Hold {
    /// Takes the hold of the outbox relay, unless another process has it.
    pub(crate) async fn try_take(&mut self) -> Result<bool, DatabaseError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(connection) => {
                let (taken,) = sqlx::query_as::<_, (bool,)>("SELECT pg_try_advisory_lock($1)")
                    .bind(OUTBOX_RELAY)
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
