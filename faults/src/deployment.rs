//! A whole deployment: two doors, auth-service and two collectors, each with its own links to broker and database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::Outcome;
use crate::broker::{Broker, random_word};
use crate::database::Postgres;
use crate::http::HttpClient;
use crate::process::{Process, Program};
use crate::proxy::Link;
use crate::shell::{eventually, free_port, output};
use crate::spool_disk::SpoolDisk;
use crate::upstream::Upstream;

/// How long the first start of everything may take.
const START_MAX: Duration = Duration::from_mins(2);

/// One of the three programs, and what its settings begin with.
#[derive(Clone, Copy, Debug)]
struct Kind {
    binary: &'static str,
    prefix: &'static str,
}

const DOOR: Kind = Kind {
    binary: "api-service",
    prefix: "GATELOG_API_",
};
const AUTH: Kind = Kind {
    binary: "auth-service",
    prefix: "GATELOG_AUTH_",
};
const COLLECTOR: Kind = Kind {
    binary: "audit-collector",
    prefix: "GATELOG_COLLECTOR_",
};

/// A service with the ports that it answers on.
#[derive(Debug)]
pub struct Service {
    /// The process, under its supervisor.
    pub process: Process,
    /// Where it listens.
    pub port: u16,
    /// Where its metrics are.
    pub metrics_port: u16,
}

/// What a client shows to get tokens.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The id of the machine.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// A running deployment. Dropped, it is gone with all that it had.
#[derive(Debug)]
pub struct Deployment {
    /// The doors, which share a spool folder.
    pub doors: Vec<Service>,
    /// auth-service.
    pub auth: Service,
    /// The collectors; requests for the log go to the first.
    pub collectors: Vec<Service>,
    /// The broker.
    pub broker: Broker,
    /// The database server.
    pub postgres: Postgres,
    /// Every service's links to the broker and to the database.
    pub links: Vec<Link>,
    /// The disk under the doors' spool.
    pub spool_disk: SpoolDisk,
    /// Its name: that of its databases, and the prefix of all it has on the broker.
    pub name: String,
    /// What the load signs in with.
    pub credentials: Credentials,
    _upstream: Upstream,
    folder: Option<TempDir>,
}

/// What every process of one deployment is told.
struct Plan<'p> {
    binaries: &'p Path,
    folder: &'p Path,
    name: String,
    issuer: String,
    auth_port: u16,
    collector_port: u16,
    postgres: &'p Postgres,
    broker: &'p Broker,
    spool: PathBuf,
    links: Vec<Link>,
}

impl Deployment {
    /// Starts everything, with `nodes` nodes of the broker, and waits until all of it is ready.
    pub async fn start(binaries: &Path, postgres: Postgres, nodes: usize) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("gatelog-faults.").tempdir()?;
        let name = format!("f{}", &random_word()[..12]);
        for part in ["auth", "collector"] {
            postgres
                .sql("postgres", &format!("CREATE DATABASE {name}_{part}"))
                .await?;
        }
        let (broker, upstream) = tokio::try_join!(Broker::start(folder.path(), nodes), Upstream::start())?;
        let spool_disk = SpoolDisk::make(folder.path().join("spool")).await?;
        fs::write(folder.path().join("policy.toml"), upstream.policy())?;
        fs::write(folder.path().join("master.key"), "5e".repeat(32))?;
        fs::write(folder.path().join("service.token"), random_word())?;
        let door_ports = [free_port()?, free_port()?];
        let mut plan = Plan {
            binaries,
            folder: folder.path(),
            issuer: format!("http://127.0.0.1:{}", door_ports[0]),
            auth_port: free_port()?,
            collector_port: free_port()?,
            postgres: &postgres,
            broker: &broker,
            spool: spool_disk.folder().to_owned(),
            name: name.clone(),
            links: Vec::new(),
        };
        let auth = plan.auth().await?;
        let collectors = vec![
            plan.collector("collector-1", plan.collector_port).await?,
            plan.collector("collector-2", free_port()?).await?,
        ];
        let mut doors = Vec::new();
        for (place, port) in door_ports.into_iter().enumerate() {
            let name = format!("door-{}", place + 1);
            doors.push(plan.door(&name, port).await?);
        }
        let links = plan.links;
        let mut deployment = Self {
            credentials: Credentials {
                id: String::new(),
                secret: String::new(),
            },
            doors,
            auth,
            collectors,
            broker,
            postgres,
            links,
            spool_disk,
            name,
            _upstream: upstream,
            folder: Some(folder),
        };
        deployment.until_ready(START_MAX).await?;
        deployment.credentials = deployment.sign_up(binaries).await?;
        Ok(deployment)
    }

    /// All services: doors, auth-service, collectors.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.doors.iter().chain([&self.auth]).chain(&self.collectors)
    }

    /// The addresses of the doors.
    pub fn door_urls(&self) -> Vec<String> {
        self.doors.iter().map(Service::url).collect()
    }

    /// The collectors' queue.
    pub fn queue(&self) -> String {
        format!("{}.collector", self.name)
    }

    /// The queue of deliveries that the broker gave up.
    pub fn dead_queue(&self) -> String {
        format!("{}.dead", self.name)
    }

    /// The exchange of events.
    pub fn exchange(&self) -> String {
        format!("{}.events", self.name)
    }

    /// What a statement says of the log.
    pub async fn logged(&self, statement: &str) -> Outcome<String> {
        self.postgres
            .sql(&format!("{}_collector", self.name), statement)
            .await
    }

    /// Keeps the folder with all logs after the end, and returns where it is.
    pub fn keep_folder(&mut self) -> Option<PathBuf> {
        self.folder.take().map(TempDir::keep)
    }

    /// Waits until every service says that it is ready.
    pub async fn until_ready(&self, limit: Duration) -> Outcome<()> {
        let client = HttpClient::new()?;
        for service in self.services() {
            let what = format!("{} is ready", service.process.name);
            let url = format!("{}/readyz", service.url());
            eventually(&what, limit, async || {
                let answer = client.get(&url).await?;
                if answer.status == 200 {
                    return Ok(Some(()));
                }
                Err(String::from_utf8_lossy(&answer.body).into())
            })
            .await?;
        }
        Ok(())
    }

    /// Makes the first administrator, and a machine that the load signs in as.
    async fn sign_up(&self, binaries: &Path) -> Outcome<Credentials> {
        let mut command = Command::new(binaries.join(AUTH.binary));
        command.arg("setup-token").env_clear();
        command.envs(self.auth.process.environment());
        let printed = output(command).await?;
        let token = printed
            .split_whitespace()
            .last()
            .ok_or("no token to set up with")?;
        let url = self.doors.first().map(Service::url).ok_or("no door")?;
        let client = HttpClient::new()?;
        let password = random_word();
        let setup = json!({ "token": token, "username": "root", "password": password });
        client.post(&format!("{url}/v1/setup"), None, &setup).await?;
        let login = json!({ "username": "root", "password": password, "audience": "gatelog" });
        let login = client.post(&format!("{url}/v1/login"), None, &login).await?;
        let admin = login.text("access_token").ok_or("no access token")?;
        let machine = json!({
            "name": "load", "kind": "confidential", "grant_types": ["client_credentials"],
            "scopes": ["audit:read"], "audiences": ["gatelog", "orders"],
        });
        let clients = format!("{url}/v1/admin/clients");
        let machine = client.post(&clients, Some(&admin), &machine).await?;
        let id = machine.text("id").ok_or("no id")?;
        let secrets = format!("{clients}/{id}/secrets");
        let named = json!({ "name": "load" });
        let secret = client.post(&secrets, Some(&admin), &named).await?;
        let secret = secret.text("secret").ok_or("no secret")?;
        Ok(Credentials { id, secret })
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let databases = ["auth", "collector"].map(|part| format!("{}_{part}", self.name));
        self.postgres.drop_databases(&databases);
    }
}

impl Service {
    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What one of its gauges says.
    pub async fn gauge(&self, client: &HttpClient, name: &str) -> Outcome<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics_port);
        let answer = client.get(&url).await?;
        let text = String::from_utf8_lossy(&answer.body);
        let mut gauges = text.lines().filter_map(|line| line.split_once(' '));
        let found = gauges.find(|(found, _)| *found == name);
        let (_, value) = found.ok_or_else(|| format!("{} has no {name}", self.process.name))?;
        Ok(value.parse()?)
    }
}

impl Plan<'_> {
    async fn auth(&mut self) -> Outcome<Service> {
        let database = self.database_url("auth", "auth").await?;
        let settings = [
            ("DATABASE_URL", database),
            ("MASTER_KEY_FILE", self.path("master.key")),
            ("CONFIRMED_DIR", self.path("confirmed-auth")),
            ("AUDIENCES", "orders".to_owned()),
            ("TRUSTED_PROXIES", "127.0.0.1/32".to_owned()),
        ];
        self.service("auth", AUTH, self.auth_port, &settings).await
    }

    async fn collector(&mut self, name: &str, port: u16) -> Outcome<Service> {
        let database = self.database_url(name, "collector").await?;
        let settings = [
            ("DATABASE_URL", database),
            ("AUTH_URL", format!("http://127.0.0.1:{}", self.auth_port)),
            ("SPOOL_DIR", self.path("spool-collector")),
            ("TRUSTED_PROXIES", "127.0.0.1/32".to_owned()),
        ];
        self.service(name, COLLECTOR, port, &settings).await
    }

    async fn door(&mut self, name: &str, port: u16) -> Outcome<Service> {
        let settings = [
            ("AUTH_URL", format!("http://127.0.0.1:{}", self.auth_port)),
            (
                "COLLECTOR_URL",
                format!("http://127.0.0.1:{}", self.collector_port),
            ),
            ("POLICY_FILE", self.path("policy.toml")),
            ("SPOOL_DIR", self.spool.display().to_string()),
            ("KEYS_DIR", self.path("keys")),
        ];
        self.service(name, DOOR, port, &settings).await
    }

    async fn service(
        &mut self,
        name: &str,
        kind: Kind,
        port: u16,
        settings: &[(&str, String)],
    ) -> Outcome<Service> {
        // Each service prefers another node of a cluster.
        let mut targets: Vec<_> = self.broker.nodes().iter().map(|node| node.port).collect();
        let first = self.links.len() % targets.len().max(1);
        targets.rotate_left(first);
        let link = Link::open(&format!("{name} → broker"), targets).await?;
        let metrics_port = free_port()?;
        let common = [
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("METRICS_LISTEN", format!("127.0.0.1:{metrics_port}")),
            ("ISSUER", self.issuer.clone()),
            ("INSTANCE", name.to_owned()),
            ("BROKER_URL", self.broker.url_through(link.port, kind.binary)),
            ("TOPOLOGY_PREFIX", self.name.clone()),
            ("SERVICE_TOKEN_FILE", self.path("service.token")),
        ];
        self.links.push(link);
        let settings = common.iter().chain(settings);
        let environment = settings.map(|(key, value)| (format!("{}{key}", kind.prefix), value.clone()));
        let program = Program {
            name: name.to_owned(),
            path: self.binaries.join(kind.binary),
            arguments: Vec::new(),
            environment: environment.collect(),
        };
        Ok(Service {
            process: Process::start(program, self.folder)?,
            port,
            metrics_port,
        })
    }

    async fn database_url(&mut self, service: &str, part: &str) -> Outcome<String> {
        let link = Link::open(&format!("{service} → database"), vec![self.postgres.port()?]).await?;
        let url = self
            .postgres
            .url_through(link.port, &format!("{}_{part}", self.name))?;
        self.links.push(link);
        Ok(url)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}
