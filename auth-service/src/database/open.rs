//! Opens the database: waits for a server that is not there yet, and brings the tables up to date.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use shared::runtime::Backoff;
use shared::runtime::cli::StartError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

use super::{Database, DatabaseUrl, Pools};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a writer waits for another process, such as `auth-service setup-token`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections at a time; a small PostgreSQL allows 100 for all replicas.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// Readers at a time on SQLite.
const READERS_MAX: u32 = 4;

/// No statement of a request takes this long unless something is wrong.
const STATEMENT_TIMEOUT: &str = "15s";

impl Database {
    /// Opens the database and migrates it. Waits for a server that cannot be reached.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, StartError> {
        let pools = match url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path).await?,
            DatabaseUrl::Postgres(options) => open_postgres(options).await?,
        };
        Ok(Self {
            pools,
            commits: watch::Sender::new(0),
        })
    }
}

async fn open_sqlite(path: &Path) -> Result<Pools, StartError> {
    let unusable = |error: &dyn std::fmt::Display| {
        StartError::config(format!("cannot use the database {}: {error}", path.display()))
    };
    // SQLite gives its other files the same mode.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable(&error))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL the last commits could be lost with the power, a revocation among them.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(|error| unusable(&error))?;
    let migrating = async {
        // The transaction is the lock against another process that migrates.
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        SQLITE_MIGRATIONS.run_direct(None, &mut *tx, false).await?;
        tx.commit().await.map_err(MigrateError::from)
    };
    migrating.await.map_err(|error| unusable(&error))?;
    let reader = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true))
        .await
        .map_err(|error| unusable(&error))?;
    Ok(Pools::Sqlite { writer, reader })
}

async fn open_postgres(options: &PgConnectOptions) -> Result<Pools, StartError> {
    let options = options.clone().application_name(crate::SERVICE);
    let mut connection = connect_when_reachable(&options).await?;
    // Migrations run one replica at a time: the migrator holds a lock of the server meanwhile.
    POSTGRES_MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| StartError::config(format!("the database cannot be migrated: {error}")))?;
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection to the database did not close in order");
    }
    let bounded = options.clone().options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(bounded);
    Ok(Pools::Postgres {
        pool,
        options: Box::new(options),
    })
}

/// Connects as soon as the server can be reached; what waiting cannot mend is an error at once.
async fn connect_when_reachable(options: &PgConnectOptions) -> Result<PgConnection, StartError> {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let error = match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if is_ours_to_mend(&error) => {
                return Err(StartError::config(format!("the database refuses us: {error}")));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        if told {
            tracing::debug!(error, "still waiting for the database");
        } else {
            tracing::warn!(error, "the database cannot be reached; waiting for it");
            told = true;
        }
        backoff.wait().await;
    }
}

/// A refused user or password, a missing database, or missing rights.
fn is_ours_to_mend(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("28") || code == "3D000" || code == "42501"),
        _ => false,
    }
}
