//! Collectors that drain a full queue.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::process::{Server, free_port};
use bench::statistics::count;
use shared::runtime::cli::say;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;

use crate::prepared::Prepared;
use crate::servers::Servers;

/// How long a drain may take.
pub(crate) const DRAIN_MAX: Duration = Duration::from_mins(4);

/// How often it is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What of a door's requests is stored.
const ACCESSES: &str = "SELECT COUNT(*) FROM event WHERE class = 'access' AND service = 'api-service'";

/// What is stored: every batch tells its events.
const STORED: &str = "SELECT CAST(COALESCE(SUM(events), 0) AS BIGINT) FROM batch";

pub(crate) const SERVICE_TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// What storing events took.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) events: u64,
    pub(crate) took: Duration,
    pub(crate) client: Duration,
    pub(crate) database: Duration,
    pub(crate) broker: Duration,
    pub(crate) memory: Memory,
}

/// The most memory that a collector had, in bytes, in each quarter of the events: what grows with the backlog grows from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory([u64; 4]);

impl Memory {
    /// What a collector has while the event with that number is stored, of so many.
    fn look(&mut self, resident: u64, event: u64, events: u64) {
        let quarters = (0_u32..4).map(|quarter| events * u64::from(quarter) / 4);
        let mut quarters = self.0.iter_mut().zip(quarters).rev();
        if let Some((most, _)) = quarters.find(|(_, from)| event >= *from) {
            *most = resident.max(*most);
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looked_at = self.0.into_iter().filter(|bytes| *bytes > 0);
        let mebibytes: Vec<_> = looked_at
            .map(|bytes| format!("{:.0}", bench::statistics::mebibytes(bytes)))
            .collect();
        formatter.write_str(&mebibytes.join(" "))
    }
}

impl Cost {
    pub(crate) fn say_head() {
        say(
            "| who | events a second | client CPU µs an event | database | broker | client + database | MiB at most, by quarters |",
        );
        say("|---|---|---|---|---|---|---|");
    }

    pub(crate) fn say(&self, who: &str) {
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count(self.events);
        say(&format!(
            "| {who} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
            count(self.events) / self.took.as_secs_f64(),
            micros(self.client),
            micros(self.database),
            micros(self.broker),
            micros(self.client + self.database),
            self.memory,
        ));
    }
}

/// Where collectors store.
pub(crate) enum Store {
    Postgres { url: String, pool: PgPool },
    Sqlite(PathBuf),
}

impl Store {
    fn url(&self) -> String {
        match self {
            Self::Postgres { url, .. } => url.clone(),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
        }
    }

    async fn stored(&self) -> Outcome<u64> {
        self.number(STORED).await
    }

    /// How many of a door's requests are stored.
    pub(crate) async fn accesses(&self) -> Outcome<u64> {
        self.number(ACCESSES).await
    }

    async fn number(&self, select: &'static str) -> Outcome<u64> {
        let (number,): (i64,) = match self {
            Self::Postgres { pool, .. } => sqlx::query_as(select).fetch_one(pool).await?,
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let pool = SqlitePool::connect_with(options).await?;
                sqlx::query_as(select).fetch_one(&pool).await?
            }
        };
        Ok(u64::try_from(number)?)
    }
}

/// One queue and one database, and collectors between them.
pub(crate) struct Drain<'s> {
    servers: &'s Servers,
    pub(crate) binaries: &'s Path,
    pub(crate) prefix: &'static str,
    settings: &'s [(String, String)],
    pub(crate) store: Store,
    folder: TempDir,
}

impl<'s> Drain<'s> {
    /// The tables and the queue, which a collector makes.
    pub(crate) async fn set(
        servers: &'s Servers,
        (binaries, settings): (&'s Path, &'s [(String, String)]),
        prefix: &'static str,
        is_postgres: bool,
    ) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let store = if is_postgres {
            let (url, pool) = servers.database(prefix).await?;
            Store::Postgres { url, pool }
        } else {
            Store::Sqlite(folder.path().join("audit.db"))
        };
        let drain = Self {
            servers,
            binaries,
            prefix,
            settings,
            store,
            folder,
        };
        let collector = drain.collector().await?;
        let mut publisher = servers.publisher(prefix)?;
        let first = [Prepared::new()?.next()?];
        while publisher.publish(&first).await.is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        while drain.store.stored().await? == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        collector.stop()?;
        Ok(drain)
    }

    pub(crate) async fn collector(&self) -> Outcome<Server> {
        let port = free_port()?;
        let mut command = Command::new(self.binaries.join("audit-collector"));
        command
            .env_clear()
            .env("GATELOG_COLLECTOR_LISTEN", format!("127.0.0.1:{port}"))
            .env("GATELOG_COLLECTOR_AUTH_URL", "http://127.0.0.1:1")
            .env("GATELOG_COLLECTOR_DATABASE_URL", self.store.url())
            .env(
                "GATELOG_COLLECTOR_BROKER_URL",
                self.servers.broker_url("audit-collector"),
            )
            .env("GATELOG_COLLECTOR_TOPOLOGY_PREFIX", self.prefix)
            .env("GATELOG_COLLECTOR_SPOOL_DIR", self.folder.path().join("spool"))
            .env("GATELOG_COLLECTOR_SERVICE_TOKEN", SERVICE_TOKEN)
            .env("GATELOG_COLLECTOR_LOG", "error")
            .stdout(Stdio::null());
        for (name, value) in self.settings {
            command.env(format!("GATELOG_COLLECTOR_{}", name.to_uppercase()), value);
        }
        Ok(Server::start(&mut command, port, "/healthz").await?.0)
    }

    /// Fills the queue with so many events and has so many collectors drain it.
    pub(crate) async fn run(&self, events: u64, collectors: usize) -> Outcome<Cost> {
        Prepared::new()?
            .publish(&mut self.servers.publisher(self.prefix)?, events)
            .await?;
        let before = self.store.stored().await?;
        let (began, postgres) = (Instant::now(), self.servers.postgres_cpu()?);
        let broker = self.servers.broker_cpu()?;
        let mut running = Vec::new();
        for _ in 0..collectors {
            running.push(self.collector().await?);
        }
        let mut memory = Memory::default();
        loop {
            let stored = self.store.stored().await? - before;
            if stored >= events {
                break;
            }
            for collector in &running {
                memory.look(collector.resident_bytes()?, stored, events);
            }
            if began.elapsed() > DRAIN_MAX {
                return Err(format!("{stored} of {events} in time").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let took = began.elapsed();
        // Before the collectors are stopped: what follows the log may go on, and their end is not intake.
        let database = self.servers.postgres_cpu()?.saturating_sub(postgres);
        let broker = self.servers.broker_cpu()?.saturating_sub(broker);
        let mut client = Duration::ZERO;
        for collector in running {
            client += collector.cpu()?;
            collector.stop()?;
        }
        Ok(Cost {
            events,
            took,
            client,
            database,
            broker,
            memory,
        })
    }
}

/// Makes PostgreSQL plan by what there is, as it does by itself within a minute.
pub(crate) async fn analyse(pool: &PgPool) -> Outcome<()> {
    sqlx::query(AssertSqlSafe("ANALYZE".to_owned()))
        .execute(pool)
        .await?;
    Ok(())
}
