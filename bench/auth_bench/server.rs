//! The server that is measured: a process of its own on a fresh database.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{Connection, request};
use crate::{Arguments, Outcome};

/// Linux counts a process's time in hundredths of a second (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(20);

/// How often it is asked whether the server is ready: the resolution of the time to ready.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// Nobody listens there.
const NO_BROKER: &str = "amqp://auth-service:x@127.0.0.1:1/%2f";

/// A running server, which is killed if the bench ends early.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
    binary: std::path::PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts one on a fresh database.
    pub(crate) async fn start(arguments: &Arguments) -> Outcome<Self> {
        let (server, _) = launch(arguments, tempfile::tempdir()?).await?;
        Ok(server)
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

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        cpu_of(self.child.id())
    }

    /// Memory in use.
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// Stops it in order.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

/// From the start of the process to the first 200 of `/readyz`, on a new database or on one that is there.
pub(crate) async fn time_to_ready(arguments: &Arguments, is_first: bool) -> Outcome<Duration> {
    let folder = tempfile::tempdir()?;
    if is_first {
        return Ok(launch(arguments, folder).await?.1);
    }
    let (server, _) = launch(arguments, folder).await?;
    let folder = tempfile::tempdir()?;
    for file in fs::read_dir(server.folder.path())? {
        let file = file?;
        fs::copy(file.path(), folder.path().join(file.file_name()))?;
    }
    server.stop()?;
    Ok(launch(arguments, folder).await?.1)
}

async fn launch(arguments: &Arguments, folder: TempDir) -> Outcome<(Server, Duration)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let broker = arguments.broker_url.as_deref().unwrap_or(NO_BROKER);
    let mut command = command(&arguments.server, &folder, broker);
    command
        .env("GATELOG_AUTH_LISTEN", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let server = Server {
        child: command.spawn()?,
        folder,
        port,
        binary: arguments.server.clone(),
    };
    loop {
        if is_ready(port).await {
            return Ok((server, began.elapsed()));
        }
        if began.elapsed() > START_MAX {
            return Err("the server did not become ready".into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn is_ready(port: u16) -> bool {
    let Ok(mut connection) = Connection::open(port).await else {
        return false;
    };
    let answer = connection.ask(&request("GET", "/readyz", "", "")).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

fn command(binary: &std::path::Path, folder: &TempDir, broker: &str) -> Command {
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
        .env("GATELOG_AUTH_LOG", "warn");
    command
}

/// The processor time of a process, in user and system mode.
pub(crate) fn cpu_of(process: u32) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let ticks: u32 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u32>)
        .sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}
