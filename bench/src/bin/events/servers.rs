//! The broker and the database that the script has started, and what they cost.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::Outcome;
use bench::process::cpu_of_family;
use shared::topology::Topology;
use shared::transport::{Broker, Publisher, Transport};
use sqlx::postgres::{PgConnectOptions, PgPool};

/// Both servers.
pub(crate) struct Servers {
    postgres: PgConnectOptions,
    postgres_pid: u32,
    broker: String,
    broker_password: String,
    broker_pid: u32,
    /// The address of the broker for who may make any queue.
    pub(crate) broker_admin_url: String,
}

impl Servers {
    /// Those that `scripts/lib/servers.sh` has told of.
    #[expect(
        clippy::disallowed_methods,
        reason = "the variables are the script's, and no settings"
    )]
    pub(crate) fn find() -> Outcome<Self> {
        let variable = |name: &str| std::env::var(format!("GATELOG_TEST_{name}"));
        let folder = |ctl: String| PathBuf::from(ctl).parent().map(Path::to_owned).ok_or("no folder");
        let first_line = |path: PathBuf| -> Outcome<u32> {
            let text = fs::read_to_string(path)?;
            Ok(text.lines().next().unwrap_or_default().trim().parse()?)
        };
        Ok(Self {
            postgres: variable("POSTGRES_URL")?.parse()?,
            postgres_pid: first_line(
                folder(variable("POSTGRES_CTL")?)?.join("postgres/data/postmaster.pid"),
            )?,
            broker: variable("BROKER")?,
            broker_password: variable("BROKER_PASSWORD")?,
            broker_admin_url: variable("BROKER_ADMIN_URL")?,
            broker_pid: first_line(folder(variable("BROKER_CTL")?)?.join("rabbitmq/pid"))?,
        })
    }

    /// The address of the broker for `user`.
    pub(crate) fn broker_url(&self, user: &str) -> String {
        format!("amqp://{user}:{}@{}/%2f", self.broker_password, self.broker)
    }

    /// What publishes as a door on the queues with that prefix.
    pub(crate) fn publisher(&self, prefix: &str) -> Outcome<Publisher> {
        let broker = Broker {
            url: self.broker_url("api-service").parse()?,
            topology: Topology::new(prefix)?,
            connection_name: "bench".to_owned(),
        };
        Ok(Transport::Rabbit(broker).publisher("api-service"))
    }

    /// A new database: its address, and connections to it.
    pub(crate) async fn database(&self, name: &str) -> Outcome<(String, PgPool)> {
        let admin = PgPool::connect_with(self.postgres.clone()).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&admin)
            .await?;
        let options = self.postgres.clone().database(name);
        let url = sqlx::ConnectOptions::to_url_lossy(&options).to_string();
        Ok((url, PgPool::connect_with(options).await?))
    }

    /// What PostgreSQL has used so far.
    pub(crate) fn postgres_cpu(&self) -> Outcome<Duration> {
        cpu_of_family(self.postgres_pid)
    }

    /// What the broker has used so far.
    pub(crate) fn broker_cpu(&self) -> Outcome<Duration> {
        cpu_of_family(self.broker_pid)
    }
}
