//! Opens the database: waits for a server that is not there yet, and brings the tables up to date.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use shared::runtime::Backoff;
use shared::runtime::cli::StartError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::{Database, DatabaseUrl, Pools, RevivablePool};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a SQLite writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Writers at a time: intake has one transaction open, the second is for one that follows a broken connection.
const WRITERS_MAX: u32 = 2;

/// Readers at a time; a small PostgreSQL allows 100 connections for all replicas of all services.
const READERS_MAX: u32 = 8;

/// No statement of intake takes this long unless something is wrong.
const WRITE_STATEMENT_TIMEOUT: &str = "30s";

/// What a search may cost at most.
const READ_STATEMENT_TIMEOUT: &str = "10s";

impl Database {
    /// Opens the database and migrates it. Waits for a server that cannot be reached.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StartError> {
        let pools = match url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path).await?,
            DatabaseUrl::Postgres(options) => open_postgres(options).await?,
        };
        Ok(Self { pools })
    }
}

/// Opens a file. Another process may be opening it too, and the change to WAL does not wait for the other one by itself.
async fn open_sqlite(path: &Path) -> Result<Pools, StartError> {
    let started = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        match try_open_sqlite(path).await {
            Ok(pools) => return Ok(pools),
            Err(error) if error.is_busy() && started.elapsed() < BUSY_TIMEOUT => backoff.wait().await,
            Err(error) => {
                let place = path.display();
                return Err(StartError::config(format!(
                    "cannot use the database {place}: {error}"
                )));
            }
        }
    }
}

async fn try_open_sqlite(path: &Path) -> Result<Pools, OpenError> {
    // SQLite gives its other files the same mode.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL, power loss could take commits whose deliveries were acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone())
        .await?;
    // The transaction is the lock against another process that migrates.
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    SQLITE_MIGRATIONS.run_direct(None, &mut *tx, false).await?;
    tx.commit().await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true))
        .await?;
    Ok(Pools::Sqlite { writer, reader })
}

async fn open_postgres(options: &PgConnectOptions) -> Result<Pools, StartError> {
    let options = options
        .clone()
        .application_name(crate::settings::SERVICE)
        // That the table of migrations exists is no news.
        .options([("client_min_messages", "warning")])
        .disable_statement_logging();
    wait_and_migrate(&options).await?;
    let pool = PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let writing = options.clone().options([
        ("statement_timeout", WRITE_STATEMENT_TIMEOUT),
        ("idle_in_transaction_session_timeout", WRITE_STATEMENT_TIMEOUT),
        // What is acknowledged must survive the loss of power, whatever the server's own setting.
        ("synchronous_commit", "on"),
    ]);
    let reading = options.clone().options([
        ("statement_timeout", READ_STATEMENT_TIMEOUT),
        ("default_transaction_read_only", "on"),
        // A plan made for any value would be wrong for the rare or the frequent one.
        ("plan_cache_mode", "force_custom_plan"),
    ]);
    Ok(Pools::Postgres {
        writer: RevivablePool::new(pool.clone().max_connections(WRITERS_MAX), writing),
        reader: RevivablePool::new(pool.max_connections(READERS_MAX), reading),
        options: Box::new(options.options([
            ("statement_timeout", READ_STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", READ_STATEMENT_TIMEOUT),
        ])),
    })
}

/// Migrates as soon as the server can be reached; what waiting cannot mend is an error at once.
async fn wait_and_migrate(options: &PgConnectOptions) -> Result<(), StartError> {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options));
        let reason = match connecting.await {
            Ok(Ok(connection)) => match migrate(connection).await {
                Ok(()) => return Ok(()),
                Err(error) => error.passing()?,
            },
            Ok(Err(error)) => OpenError::from(error).passing()?,
            Err(_) => "it does not answer".to_owned(),
        };
        if told {
            tracing::debug!(reason, "still waiting for the database");
        } else {
            tracing::warn!(reason, "the database cannot be reached; waiting for it");
            told = true;
        }
        backoff.wait().await;
    }
}

async fn migrate(mut connection: PgConnection) -> Result<(), OpenError> {
    let encoding = sqlx::query_scalar::<_, String>("SHOW server_encoding");
    if encoding.fetch_one(&mut connection).await? != "UTF8" {
        return Err(OpenError::Encoding);
    }
    // Migrations run one replica at a time: the migrator holds a lock of the server meanwhile.
    POSTGRES_MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await?;
    Ok(connection.close().await?)
}

/// Why a database could not be used.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Connection(#[from] sqlx::Error),
    #[error("it cannot be migrated: {0}")]
    Migration(#[from] MigrateError),
    #[error("its encoding is not UTF8, so that it cannot hold every name; create it with ENCODING 'UTF8'")]
    Encoding,
}

impl OpenError {
    /// What the database itself said, if it said anything.
    const fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Connection(error)
            | Self::Migration(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                Some(error)
            }
            Self::File(_) | Self::Migration(_) | Self::Encoding => None,
        }
    }

    /// Whether another process has the file locked at the moment (`SQLITE_BUSY`).
    fn is_busy(&self) -> bool {
        let Some(sqlx::Error::Database(error)) = self.cause() else {
            return false;
        };
        error.code().is_some_and(|code| code == "5" || code == "261")
    }

    /// The text of an error that may pass; the others end the start.
    fn passing(self) -> Result<String, StartError> {
        if self.cause().is_some_and(may_pass) {
            Ok(self.to_string())
        } else {
            Err(StartError::config(format!("the database cannot be used: {self}")))
        }
    }
}

fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        // 08 connection, 40 deadlock, 53 resources, 55 locks, 57 starting or stopping.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "55", "57"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}
