//! The binary as a process: its commands, and a service that runs.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use shared::http::client::is_ready;

/// The binary with settings whose files are in `dir`, and a broker that is not there.
pub(crate) fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth-service"));
    let dir = dir.display();
    command
        .args(arguments)
        .env_clear()
        .env("GATELOG_AUTH_DATABASE_URL", format!("sqlite:{dir}/auth.db"))
        .env(
            "GATELOG_AUTH_BROKER_URL",
            "amqp://auth-service:broker-password@127.0.0.1:1/%2f",
        )
        .env("GATELOG_AUTH_MASTER_KEY_FILE", format!("{dir}/master-key"))
        .env("GATELOG_AUTH_SERVICE_TOKEN_FILE", format!("{dir}/service-token"))
        .env("GATELOG_AUTH_LOG", "debug");
    command
}

pub(crate) fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A started binary, killed if a test fails before it ends it.
pub(crate) struct Started(Option<Child>);

impl Started {
    /// Asks it to stop and returns what it said and its exit code.
    pub(crate) fn stop(mut self) -> Output {
        let child = self.0.take().unwrap();
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        child.wait_with_output().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Starts it with one or the other setting more, and waits until it is ready.
pub(crate) async fn start_with(dir: &Path, port: u16, more: &[(&str, &str)]) -> (Started, String) {
    let base = format!("http://127.0.0.1:{port}");
    let mut command = command(dir, &[]);
    command
        .env("GATELOG_AUTH_LISTEN", format!("127.0.0.1:{port}"))
        .envs(more.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = Started(Some(command.spawn().unwrap()));
    let ready = async {
        while is_ready(&base).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready)
        .await
        .unwrap();
    (started, base)
}

/// Starts it and waits until it is ready.
pub(crate) async fn start(dir: &Path, port: u16) -> (Started, String) {
    start_with(dir, port, &[]).await
}

/// Runs a command with one or the other setting more, and returns its lines as JSON.
pub(crate) fn lines_with(dir: &Path, more: &[(&str, &str)], arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<_> = ["--json"].iter().chain(arguments).copied().collect();
    let mut command = command(dir, &arguments);
    command.envs(more.iter().copied());
    let output = run(command);
    let told = String::from_utf8([output.stdout.clone(), output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs a command and returns its lines as JSON.
pub(crate) fn lines(dir: &Path, arguments: &[&str]) -> Vec<Value> {
    lines_with(dir, &[], arguments)
}

/// The token of the link that a command printed.
pub(crate) fn password_token(printed: &Value) -> &str {
    let link = printed["password_link"].as_str().unwrap();
    link.split_once("/oauth/password?token=").unwrap().1
}
