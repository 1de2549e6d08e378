//! Opens the database: waits for a server that is not there yet, and brings the tables up to date.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::runtime::Backoff;
use crate::runtime::cli::{StartError, note};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::watch;

use super::error::may_pass;
use super::{BEGIN_WRITING, Database, DatabaseUrl, Pools, RevivablePool, SqlitePool};

/// What a service keeps in its database, and how much of the server it may use.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The service, as the server shows it among its connections.
    pub service: &'static str,
    /// The tables on SQLite.
    pub sqlite: &'static Migrator,
    /// The same tables on PostgreSQL.
    pub postgres: &'static Migrator,
    /// Writing connections at a time on PostgreSQL; a small server allows 100 for all replicas of all services.
    pub writers_max: u32,
    /// Reading connections at a time.
    pub readers_max: u32,
    /// How long a writing statement may take, in PostgreSQL's words.
    pub write_statement_timeout: &'static str,
    /// How long a reading statement may take.
    pub read_statement_timeout: Duration,
}

/// How long a SQLite writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a caller waits for a connection.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one attempt to connect may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a SQLite writer keeps of the file in memory, as SQLite writes it: 64 MiB. With the usual 2 MiB the pages of a dozen indexes are
/// read again for every batch (decision 0087).
const WRITER_CACHE: &str = "-65536";

/// Pages of the write-ahead log after which a commit moves them into the file: 64 MiB. A page that several commits change is then
/// moved once.
const CHECKPOINT_AFTER: &str = "16384";

impl Schema {
    /// How long a reading statement may take, in PostgreSQL's words.
    pub(super) fn read_timeout(&self) -> String {
        format!("{}ms", self.read_statement_timeout.as_millis())
    }
}

impl Database {
    /// Opens the database and migrates it. Waits for a server that cannot be reached.
    pub async fn open(url: &DatabaseUrl, schema: &Schema) -> Result<Self, StartError> {
        Self::open_with(url, schema, None).await
    }

    /// The same for a command, whose caller waits: it says so on standard error if the server cannot be reached, and gives up after a
    /// try that ended later than `patience`.
    pub async fn open_within(
        url: &DatabaseUrl,
        schema: &Schema,
        patience: Duration,
    ) -> Result<Self, StartError> {
        Self::open_with(url, schema, Some(patience)).await
    }

    /// With a `patience`, as [`Self::open_within`].
    async fn open_with(
        url: &DatabaseUrl,
        schema: &Schema,
        patience: Option<Duration>,
    ) -> Result<Self, StartError> {
        let pools = match url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path, schema).await?,
            DatabaseUrl::Postgres(options) => open_postgres(options, schema, patience).await?,
        };
        Ok(Self {
            pools,
            commits: watch::Sender::new(0),
        })
    }
}

/// Opens a file. Another process may be opening it too, and the change to WAL does not wait for the other one by itself.
async fn open_sqlite(path: &Path, schema: &Schema) -> Result<Pools, StartError> {
    let started = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        match try_open_sqlite(path, schema).await {
            Ok(pools) => return Ok(pools),
            Err(error) if error.is_busy() && started.elapsed() < BUSY_TIMEOUT => {
                backoff.wait().await;
            }
            Err(error) => {
                let place = path.display();
                return Err(StartError::config(format!(
                    "cannot use the database {place}: {error}"
                )));
            }
        }
    }
}

async fn try_open_sqlite(path: &Path, schema: &Schema) -> Result<Pools, OpenError> {
    // SQLite gives its other files the same mode.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL, power loss could take the last commits: a revocation, or what was acknowledged to the broker.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let writer = SqlitePool::new(
        options
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_AFTER),
        1,
        None,
    )?;
    // The transaction is the lock against another process that migrates.
    let mut tx = writer.begin(BEGIN_WRITING).await?;
    schema.sqlite.run_direct(None, &mut *tx, false).await?;
    tx.commit().await?;
    let reader = SqlitePool::new(
        options.read_only(true),
        schema.readers_max,
        Some(schema.read_statement_timeout),
    )?;
    reader.lend().await?;
    Ok(Pools::Sqlite { writer, reader })
}

async fn open_postgres(
    options: &PgConnectOptions,
    schema: &Schema,
    patience: Option<Duration>,
) -> Result<Pools, StartError> {
    let options = options
        .clone()
        .application_name(schema.service)
        // That the table of migrations exists is no news.
        .options([("client_min_messages", "warning")])
        .disable_statement_logging();
    wait_and_migrate(&options, schema, patience).await?;
    let pool = PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let writing = options.clone().options([
        ("statement_timeout", schema.write_statement_timeout),
        (
            "idle_in_transaction_session_timeout",
            schema.write_statement_timeout,
        ),
        // What is acknowledged must survive the loss of power, whatever the server's own setting.
        ("synchronous_commit", "on"),
    ]);
    let reading = options.clone().options([
        ("statement_timeout", &*schema.read_timeout()),
        ("default_transaction_read_only", "on"),
        // A plan made for any value would be wrong for the rare or the frequent one.
        ("plan_cache_mode", "force_custom_plan"),
        // It compiles what is planned, whatever is executed: of a question to some sixty ranges, for longer than the question may take.
        ("jit", "off"),
        // To start helpers takes 7 to 10 ms for each list of an answer, of which the usual 1000 knows nothing. Scans of millions of rows still get them.
        ("parallel_setup_cost", "10000"),
    ]);
    Ok(Pools::Postgres {
        writer: RevivablePool::new(pool.clone().max_connections(schema.writers_max), writing),
        reader: RevivablePool::new(pool.max_connections(schema.readers_max), reading),
        options: Box::new(options.options([
            ("statement_timeout", &*schema.read_timeout()),
            ("idle_in_transaction_session_timeout", &*schema.read_timeout()),
            // A holder whose host is gone must not keep its lock for the two hours that are usual.
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])),
    })
}

/// Migrates as soon as the server can be reached; what waiting cannot mend is an error at once.
async fn wait_and_migrate(
    options: &PgConnectOptions,
    schema: &Schema,
    patience: Option<Duration>,
) -> Result<(), StartError> {
    let started = Instant::now();
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options));
        let reason = match connecting.await {
            Ok(Ok(connection)) => match migrate(connection, schema.postgres).await {
                Ok(()) => return Ok(()),
                Err(error) => error.passing()?,
            },
            Ok(Err(error)) => OpenError::from(error).passing()?,
            Err(_) => "it does not answer".to_owned(),
        };
        match patience {
            Some(patience) if started.elapsed() >= patience => {
                return Err(StartError::failed(format!(
                    "the database cannot be reached: {reason}"
                )));
            }
            _ if told => tracing::debug!(reason, "still waiting for the database"),
            Some(patience) => note(&format!(
                "{}: the database cannot be reached; trying for {} s: {reason}",
                schema.service,
                patience.as_secs()
            )),
            None => {
                tracing::warn!(reason, "the database cannot be reached; waiting for it");
            }
        }
        told = true;
        backoff.wait().await;
    }
}

async fn migrate(mut connection: PgConnection, migrations: &Migrator) -> Result<(), OpenError> {
    let encoding = sqlx::query_scalar::<_, String>("SHOW server_encoding");
    if encoding.fetch_one(&mut connection).await? != "UTF8" {
        return Err(OpenError::Encoding);
    }
    // Migrations run one replica at a time: the migrator holds a lock of the server meanwhile.
    migrations.run_direct(None, &mut connection, false).await?;
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
