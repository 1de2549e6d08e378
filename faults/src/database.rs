//! PostgreSQL: asked directly, past the proxies, and stopped, started and frozen.

use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::shell::{eventually, output, signal, status};

/// How long a start after a crash may take.
const START_MAX: Duration = Duration::from_mins(1);

/// A server that this run may stop, as `scripts/servers` starts one.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// The address of its database `postgres`, with the password of its owner.
    url: String,
    /// A `pg_ctl` for it.
    ctl: String,
}

impl Postgres {
    /// The server that `scripts/servers` tells of by environment; `None` without it.
    pub fn find() -> Option<Self> {
        Some(Self {
            url: environment("GATELOG_TEST_POSTGRES_URL")?,
            ctl: environment("GATELOG_TEST_POSTGRES_CTL")?,
        })
    }

    /// The address of `database`, as seen through a link at `port`.
    pub fn url_through(&self, port: u16, database: &str) -> Outcome<String> {
        let (credentials, _) = self.url.rsplit_once('@').ok_or("not a URL")?;
        Ok(format!("{credentials}@127.0.0.1:{port}/{database}"))
    }

    /// The port of the server itself.
    pub fn port(&self) -> Outcome<u16> {
        let after = self.url.rsplit_once(':').ok_or("not a URL")?.1;
        Ok(after.split('/').next().unwrap_or_default().parse()?)
    }

    /// What a statement answers, unaligned, without headings, its columns parted by `|`.
    pub async fn sql(&self, database: &str, statement: &str) -> Outcome<String> {
        let (server, _) = self.url.rsplit_once('/').ok_or("not a URL")?;
        let mut command = Command::new("psql");
        command.args(["-XAtqv", "ON_ERROR_STOP=1", "-c", statement]);
        command.arg(format!("{server}/{database}"));
        output(command).await
    }

    /// Drops databases, whoever still uses them, and waits for that; for the end of a run.
    pub fn drop_databases(&self, databases: &[String]) {
        for database in databases {
            let statement = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
            let mut command = Command::new("psql");
            command.args(["-XAtqc", &statement, &self.url]);
            drop(command.output());
        }
    }

    /// Stops it in `immediate` mode, which is what a crash leaves.
    pub async fn crash(&self) -> Outcome<()> {
        self.control(&["stop", "-m", "immediate"]).await
    }

    /// Starts it and waits until it answers.
    pub async fn start(&self) -> Outcome<()> {
        self.control(&["start"]).await?;
        eventually("the database answers", START_MAX, async || {
            self.sql("postgres", "SELECT 1").await.map(Some)
        })
        .await
        .map(drop)
    }

    async fn control(&self, arguments: &[&str]) -> Outcome<()> {
        let mut command = Command::new(&self.ctl);
        command.args(arguments);
        status(command).await
    }

    /// Freezes the server with all its back ends. What it returns thaws them.
    pub async fn freeze(&self) -> Outcome<Vec<i64>> {
        let back_end: i64 = self
            .sql(
                "postgres",
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
            )
            .await?
            .parse()?;
        let server = parent_of(back_end)?;
        // The one that makes the others comes first.
        signal("STOP", &[server]).await?;
        let mut processes = vec![server];
        processes.extend(children_of(server)?);
        signal("STOP", &processes).await?;
        Ok(processes)
    }
}

/// A variable that `scripts/servers` sets.
pub fn environment(name: &str) -> Option<String> {
    std::env::vars_os()
        .find(|(key, _)| key == name)?
        .1
        .into_string()
        .ok()
}

fn children_of(parent: i64) -> Outcome<Vec<i64>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while its neighbours are looked at.
        if parent_of(process).is_ok_and(|of| of == parent) {
            children.push(process);
        }
    }
    Ok(children)
}

/// The parent of a process: the second field after the name in proc(5)'s `stat`.
fn parent_of(process: i64) -> Outcome<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in stat")?;
    Ok(after_name.split_whitespace().nth(1).ok_or("no parent")?.parse()?)
}
