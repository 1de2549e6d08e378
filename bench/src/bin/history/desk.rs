//! A collector on the database and who asks it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::http::{Connection, json, request};
use bench::process::{Server, free_port};
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

const PASSWORD: &str = "correct horse battery staple";
const SERVICE_TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// Nobody listens there: events of what is read stay in the spool.
const NO_BROKER: &str = "@127.0.0.1:1/%2f";

/// A collector, the auth-service that it believes, and a token of an administrator.
pub(crate) struct Desk {
    collector: Server,
    auth: Server,
    token: String,
}

impl Desk {
    /// Starts both.
    pub(crate) async fn open(binaries: &Path, options: &PgConnectOptions, folder: &Path) -> Outcome<Self> {
        let (auth, collector) = (free_port()?, free_port()?);
        let issuer = format!("http://127.0.0.1:{auth}");
        let service = |name: &str, prefix: &str, listen: u16| {
            let mut command = Command::new(binaries.join(name));
            let mut set = |setting: &str, value: String| {
                command.env(format!("GATELOG_{prefix}_{setting}"), value);
            };
            set("LISTEN", format!("127.0.0.1:{listen}"));
            set("ISSUER", issuer.clone());
            set("BROKER_URL", format!("amqp://{name}:x{NO_BROKER}"));
            set("SERVICE_TOKEN", SERVICE_TOKEN.to_owned());
            set("LOG", "error".to_owned());
            command
                .current_dir(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let auth_service = || {
            let mut command = service("auth-service", "AUTH", auth);
            command
                .env("GATELOG_AUTH_DATABASE_URL", "sqlite:auth.db")
                .env("GATELOG_AUTH_MASTER_KEY", "5a".repeat(32))
                .env("GATELOG_AUTH_ACCESS_TOKEN_SECONDS", "3600");
            command
        };
        let mut audit_collector = service("audit-collector", "COLLECTOR", collector);
        audit_collector
            .env("GATELOG_COLLECTOR_AUTH_URL", &issuer)
            .env(
                "GATELOG_COLLECTOR_DATABASE_URL",
                options.to_url_lossy().to_string(),
            )
            .env("GATELOG_COLLECTOR_SPOOL_DIR", "spool");
        fs::create_dir_all(folder)?;
        let (auth, _) = Server::start(&mut auth_service(), auth, "/readyz").await?;
        let (collector, _) = Server::start(&mut audit_collector, collector, "/healthz").await?;
        let printed = auth_service()
            .arg("setup-token")
            .stdout(Stdio::piped())
            .output()?;
        let setup = String::from_utf8(printed.stdout)?;
        let mut connection = Connection::open(auth.port).await?;
        let body = json!({"token": setup.trim(), "username": "root", "password": PASSWORD});
        connection.ask(&json("/v1/setup", "", &body)).await?;
        let body = json!({"username": "root", "password": PASSWORD});
        let answer = connection.ask(&json("/v1/login", "", &body)).await?;
        let token = answer.text("access_token")?;
        Ok(Self {
            collector,
            auth,
            token,
        })
    }

    /// A connection to the collector.
    pub(crate) async fn connect(&self) -> Outcome<Connection> {
        Connection::open(self.collector.port).await
    }

    /// Asks once; how long that took, the status and the size of the answer.
    pub(crate) async fn ask(&self, connection: &mut Connection, path: &str) -> Outcome<(Duration, u16)> {
        let bearer = format!("authorization: Bearer {}\r\n", self.token);
        let began = Instant::now();
        let answer = connection.ask(&request("GET", path, &bearer, "")).await?;
        Ok((began.elapsed(), answer.status))
    }

    /// Stops both.
    pub(crate) fn close(self) -> Outcome<()> {
        self.collector.stop()?;
        self.auth.stop()
    }
}
