//! auth-service and a door before it, as an operator would start them, and tokens that the one makes for the other.
//!
//! There is no broker: events stay in the spool, so that what is measured is the door's own work.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bench::Outcome;
use bench::http::{Connection, form, json};
use bench::process::{Server, free_port};
use serde_json::json;
use tempfile::TempDir;

use crate::Measure;

/// The path behind the door that is forwarded.
pub(crate) const FORWARDED: &str = "/v1/orders/7";

const PASSWORD: &str = "correct horse battery staple";
const SERVICE_TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// Both services, with keys of one algorithm.
pub(crate) struct Gatelog {
    auth: Server,
    pub(crate) door: Server,
    folder: TempDir,
}

/// Whether the door keeps tokens that it has verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    On,
    Off,
}

impl Gatelog {
    /// Starts both, the door before `upstream`.
    pub(crate) async fn start(
        arguments: &Measure,
        algorithm: &str,
        upstream: u16,
        cache: Cache,
    ) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let (auth_port, door_port) = (free_port()?, free_port()?);
        let issuer = format!("http://127.0.0.1:{door_port}");
        let mut auth = service(&arguments.binaries, "auth-service", folder.path(), "AUTH");
        let database = format!("sqlite:{}/auth.db", folder.path().display());
        auth.env("GATELOG_AUTH_LISTEN", format!("127.0.0.1:{auth_port}"))
            .env("GATELOG_AUTH_ISSUER", &issuer)
            .env("GATELOG_AUTH_DATABASE_URL", &database)
            .env("GATELOG_AUTH_MASTER_KEY", "5a".repeat(32))
            .env("GATELOG_AUTH_AUDIENCES", "orders")
            .env("GATELOG_AUTH_ACCESS_TOKEN_SECONDS", "3600")
            .env("GATELOG_AUTH_SIGNING_ALGORITHM", algorithm);
        let (auth, _) = Server::start(&mut auth, auth_port, "/readyz").await?;
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, policy_text(upstream))?;
        let mut door = service(&arguments.binaries, "api-service", folder.path(), "API");
        door.env("GATELOG_API_LISTEN", format!("127.0.0.1:{door_port}"))
            .env("GATELOG_API_ISSUER", &issuer)
            .env("GATELOG_API_AUTH_URL", format!("http://127.0.0.1:{auth_port}"))
            .env("GATELOG_API_POLICY_FILE", &policy)
            .env("GATELOG_API_SPOOL_DIR", folder.path().join("spool"))
            .env("GATELOG_API_SPOOL_MAX_BYTES", (64_u64 << 30).to_string());
        if cache == Cache::Off {
            door.env("GATELOG_API_TOKEN_CACHE_BYTES", "0");
        }
        let (door, _) = Server::start(&mut door, door_port, "/readyz").await?;
        Ok(Self { auth, door, folder })
    }

    /// So many access tokens of one session of the first administrator, for the APIs behind the door.
    pub(crate) async fn tokens(&self, arguments: &Measure, number: usize) -> Outcome<Vec<String>> {
        let mut setup = service(&arguments.binaries, "auth-service", self.folder.path(), "AUTH");
        let database = format!("sqlite:{}/auth.db", self.folder.path().display());
        let printed = setup
            .arg("setup-token")
            .env("GATELOG_AUTH_DATABASE_URL", database)
            .env("GATELOG_AUTH_MASTER_KEY", "5a".repeat(32))
            .stdout(Stdio::piped())
            .output()?;
        let token = String::from_utf8(printed.stdout)?;
        let mut connection = Connection::open(self.auth.port).await?;
        let body = json!({"token": token.trim(), "username": "root", "password": PASSWORD});
        connection.ask(&json("/v1/setup", "", &body)).await?;
        let body = json!({"username": "root", "password": PASSWORD, "audience": "orders"});
        let mut answer = connection.ask(&json("/v1/login", "", &body)).await?;
        let mut tokens = vec![answer.text("access_token")?];
        while tokens.len() < number {
            let refresh = answer.text("refresh_token")?;
            let pairs = [
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh.as_str()),
            ];
            answer = connection.ask(&form("/oauth/token", "", &pairs)).await?;
            tokens.push(answer.text("access_token")?);
        }
        Ok(tokens)
    }

    /// The key set that its tokens are verified by.
    pub(crate) async fn jwks(&self) -> Outcome<serde_json::Value> {
        let mut connection = Connection::open(self.auth.port).await?;
        let ask = bench::http::request("GET", "/.well-known/jwks.json", "", "");
        Ok(serde_json::from_slice(&connection.ask(&ask).await?.body)?)
    }
}

fn policy_text(upstream: u16) -> String {
    format!(
        "audience = [\"orders\"]\nsame_host = true\n\n\
         [upstream.orders]\nservers = [\"http://127.0.0.1:{upstream}\"]\n\n\
         [[route]]\nname = \"order-read\"\nmatch = \"GET /v1/orders/{{id}}\"\nallow = \"signed-in\"\nto = \"orders\"\n"
    )
}

fn service(binaries: &Path, name: &str, folder: &Path, prefix: &str) -> Command {
    let mut command = Command::new(binaries.join(name));
    command
        .current_dir(folder)
        .env_clear()
        .env(
            format!("GATELOG_{prefix}_BROKER_URL"),
            format!("amqp://{name}:x@127.0.0.1:1/%2f"),
        )
        .env(format!("GATELOG_{prefix}_SERVICE_TOKEN"), SERVICE_TOKEN)
        .env(format!("GATELOG_{prefix}_LOG"), "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
