//! The service that is measured: a process of its own on a fresh database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bench::Outcome;
use bench::process::{Server, free_port};
use tempfile::TempDir;

use crate::Arguments;
use crate::baseline::{MEMORY_KIB, PASSES};

/// Nobody listens there.
const NO_BROKER: &str = "amqp://auth-service:x@127.0.0.1:1/%2f";

/// A running auth-service and its database.
pub(crate) struct Service {
    pub(crate) server: Server,
    folder: TempDir,
    binary: PathBuf,
}

impl Service {
    /// Starts one on a fresh database.
    pub(crate) async fn start(arguments: &Arguments) -> Outcome<Self> {
        let (service, _) = launch(arguments, tempfile::tempdir()?).await?;
        Ok(service)
    }

    /// Runs another command of the binary on the same database, and returns what it prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> Outcome<String> {
        let output = command(&self.binary, &self.folder, NO_BROKER)
            .args(arguments)
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`auth-service {}` failed: {said}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// From the start of the process to the first 200 of `/readyz`, on a new database or on one that is there.
pub(crate) async fn time_to_ready(arguments: &Arguments, is_first: bool) -> Outcome<Duration> {
    let (service, took) = launch(arguments, tempfile::tempdir()?).await?;
    if is_first {
        return Ok(took);
    }
    let folder = tempfile::tempdir()?;
    for file in fs::read_dir(service.folder.path())? {
        let file = file?;
        fs::copy(file.path(), folder.path().join(file.file_name()))?;
    }
    service.server.stop()?;
    Ok(launch(arguments, folder).await?.1)
}

async fn launch(arguments: &Arguments, folder: TempDir) -> Outcome<(Service, Duration)> {
    let port = free_port()?;
    let broker = arguments.broker_url.as_deref().unwrap_or(NO_BROKER);
    let mut command = command(&arguments.server, &folder, broker);
    command
        .env("GATELOG_AUTH_LISTEN", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (server, took) = Server::start(&mut command, port, "/readyz").await?;
    let binary = arguments.server.clone();
    Ok((
        Service {
            server,
            folder,
            binary,
        },
        took,
    ))
}

fn command(binary: &Path, folder: &TempDir, broker: &str) -> Command {
    let mut command = Command::new(binary);
    let folder = folder.path().display();
    command
        .env_clear()
        .env("GATELOG_AUTH_DATABASE_URL", format!("sqlite:{folder}/auth.db"))
        .env("GATELOG_AUTH_BROKER_URL", broker)
        .env("GATELOG_AUTH_MASTER_KEY_FILE", format!("{folder}/master-key"))
        .env(
            "GATELOG_AUTH_SERVICE_TOKEN_FILE",
            format!("{folder}/service-token"),
        )
        // The baseline must do the work that the service does.
        .env(
            "GATELOG_AUTH_PASSWORD_HASH",
            format!("m={MEMORY_KIB},t={PASSES},p=1"),
        )
        .env("GATELOG_AUTH_LOG", "warn");
    command
}
