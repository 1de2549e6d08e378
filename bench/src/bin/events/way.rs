//! The whole way: requests to a door, its spool, the broker, a collector, the store.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::http::{Connection, json, request};
use bench::load::Asker;
use bench::process::{Server, free_port};
use bench::statistics::count;
use bench::{Outcome, load};
use serde_json::json;
use shared::runtime::cli::say;
use tempfile::TempDir;

use crate::delay::{self, Until};
use crate::drain::{DRAIN_MAX, Drain, LOOK_EVERY, SERVICE_TOKEN, Store};
use crate::servers::Servers;

const PASSWORD: &str = "correct horse battery staple";

/// Connections that ask at the same time.
const CONNECTIONS: usize = 32;

/// A door and its auth-service, whose events a collector stores.
pub(crate) struct WholeWay {
    auth: Server,
    door: Server,
    token: String,
    _folder: TempDir,
}

/// Where both are and what they share.
struct Place<'s> {
    servers: &'s Servers,
    drain: &'s Drain<'s>,
    folder: TempDir,
    auth: u16,
    door: u16,
}

impl Place<'_> {
    fn auth_service(&self) -> Command {
        let mut command = self.service("auth-service", "AUTH", self.auth);
        command
            .env("GATELOG_AUTH_DATABASE_URL", "sqlite:auth.db")
            .env("GATELOG_AUTH_MASTER_KEY", "5a".repeat(32))
            .env("GATELOG_AUTH_AUDIENCES", "orders")
            .env("GATELOG_AUTH_ACCESS_TOKEN_SECONDS", "3600");
        command
    }

    fn api_service(&self) -> Command {
        let mut command = self.service("api-service", "API", self.door);
        command
            .env("GATELOG_API_AUTH_URL", format!("http://127.0.0.1:{}", self.auth))
            .env("GATELOG_API_POLICY_FILE", "policy.toml")
            .env("GATELOG_API_SPOOL_DIR", "spool")
            .env("GATELOG_API_SPOOL_MAX_BYTES", (64_u64 << 30).to_string());
        command
    }

    /// What all services are told.
    fn service(&self, name: &str, prefix: &str, listen: u16) -> Command {
        let mut command = Command::new(self.drain.binaries.join(name));
        let mut set = |setting: &str, value: String| {
            command.env(format!("GATELOG_{prefix}_{setting}"), value);
        };
        set("LISTEN", format!("127.0.0.1:{listen}"));
        set("ISSUER", format!("http://127.0.0.1:{}", self.door));
        set("BROKER_URL", self.servers.broker_url(name));
        set("TOPOLOGY_PREFIX", self.drain.prefix.to_owned());
        set("SERVICE_TOKEN", SERVICE_TOKEN.to_owned());
        set("LOG", "error".to_owned());
        command.current_dir(self.folder.path()).stdout(Stdio::null());
        command
    }
}

/// One connection that asks with one token.
struct Signed(Vec<u8>);

impl Asker for Signed {
    async fn ask(&mut self, connection: &mut Connection) -> Outcome<bool> {
        Ok(connection.ask(&self.0).await?.status == 200)
    }
}

impl WholeWay {
    /// Starts both on the queues of `drain`.
    pub(crate) async fn start(servers: &Servers, drain: &Drain<'_>) -> Outcome<Self> {
        let place = Place {
            servers,
            drain,
            folder: tempfile::tempdir()?,
            auth: free_port()?,
            door: free_port()?,
        };
        let policy = "audience = [\"orders\"]\nsame_host = true\n";
        fs::write(place.folder.path().join("policy.toml"), policy)?;
        let (auth, _) = Server::start(&mut place.auth_service(), place.auth, "/readyz").await?;
        let (door, _) = Server::start(&mut place.api_service(), place.door, "/readyz").await?;
        let printed = place
            .auth_service()
            .arg("setup-token")
            .stdout(Stdio::piped())
            .output()?;
        let setup = String::from_utf8(printed.stdout)?;
        let mut connection = Connection::open(auth.port).await?;
        let body = json!({"token": setup.trim(), "username": "root", "password": PASSWORD});
        connection.ask(&json("/v1/setup", "", &body)).await?;
        let body = json!({"username": "root", "password": PASSWORD, "audience": "orders"});
        let answer = connection.ask(&json("/v1/login", "", &body)).await?;
        Ok(Self {
            token: answer.text("access_token")?,
            auth,
            door,
            _folder: place.folder,
        })
    }

    async fn askers(&self, number: usize) -> Outcome<Vec<(Signed, Connection)>> {
        let bearer = format!("authorization: Bearer {}\r\n", self.token);
        let asking = request("GET", "/api/me", &bearer, "");
        let mut askers = Vec::new();
        for _ in 0..number {
            let connection = Connection::open(self.door.port).await?;
            askers.push((Signed(asking.clone()), connection));
        }
        Ok(askers)
    }

    /// Asks as fast as it is answered for so long, waits until all of it is stored, and says what an event cost.
    pub(crate) async fn measure(
        &self,
        servers: &Servers,
        drain: &Drain<'_>,
        lasting: Duration,
        name: &str,
    ) -> Outcome<()> {
        let collector = drain.collector().await?;
        let before = drain.store.accesses().await?;
        let askers = self.askers(CONNECTIONS).await?;
        let (postgres, broker) = (servers.postgres_cpu()?, servers.broker_cpu()?);
        let (door, auth, began) = (self.door.cpu()?, self.auth.cpu()?, Instant::now());
        let stored = collector.cpu()?;
        let run = load::run(&self.door, askers, lasting).await?;
        let answered_in = began.elapsed();
        while drain.store.accesses().await? < before + run.done {
            if began.elapsed() > DRAIN_MAX {
                return Err("not all of it was stored in time".into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let took = began.elapsed();
        let events = count(run.done);
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / events;
        say(&format!(
            "| {name} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            events / answered_in.as_secs_f64(),
            events / took.as_secs_f64(),
            micros(self.door.cpu()?.saturating_sub(door)),
            micros(servers.broker_cpu()?.saturating_sub(broker)),
            micros(collector.cpu()?.saturating_sub(stored)),
            micros(servers.postgres_cpu()?.saturating_sub(postgres)),
            micros(self.auth.cpu()?.saturating_sub(auth)),
        ));
        collector.stop()
    }

    /// Delays of single events while nothing else is asked, and while so many requests a second are.
    pub(crate) async fn measure_delay(&self, servers: &Servers, drain: &Drain<'_>) -> Outcome<()> {
        let Store::Postgres { pool, .. } = &drain.store else {
            return Err("no PostgreSQL".into());
        };
        let collector = drain.collector().await?;
        say("| requests a second meanwhile | until | p50 ms | p99 ms |");
        say("|---|---|---|---|");
        for rate in [0, 1_000] {
            let mut asking = tokio::task::JoinSet::new();
            if rate > 0 {
                for (asker, connection) in self.askers(10).await? {
                    asking.spawn(ask_steadily(asker, connection, Duration::from_millis(10)));
                }
            }
            for (until, name) in [
                (Until::Found, "a search finds it"),
                (Until::Alert, "its alert stands"),
            ] {
                let delays = delay::measure(servers, drain.prefix, (pool, until)).await?;
                let at = |percent: usize| {
                    let delay = delays.get(delays.len() * percent / 100);
                    delay.map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
                };
                say(&format!("| {rate} | {name} | {:.1} | {:.1} |", at(50), at(99)));
            }
            asking.shutdown().await;
        }
        collector.stop()
    }
}

/// Asks once in every `period` until it is aborted.
async fn ask_steadily(mut asker: Signed, mut connection: Connection, period: Duration) {
    let mut ticks = tokio::time::interval(period);
    loop {
        ticks.tick().await;
        if asker.ask(&mut connection).await.is_err() {
            return;
        }
    }
}
