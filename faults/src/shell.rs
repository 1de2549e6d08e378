//! Programs that are run to their end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use crate::Outcome;

/// Runs a program to its end off the runtime's threads, and returns what it printed; an error holds what it said.
pub async fn output(mut command: Command) -> Outcome<String> {
    command.stdin(Stdio::null());
    // Only the program's name: an argument may hold a password.
    let name = command.get_program().to_string_lossy().into_owned();
    let output = spawn_blocking(move || command.output()).await??;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Runs a program whose children keep its output open, such as one that starts a server.
pub async fn status(mut command: Command) -> Outcome<()> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = spawn_blocking(move || command.status()).await??;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown} ended with {status}").into())
    }
}

/// Sends a signal to processes; a negative number is a process group. One that has ended meanwhile is no error.
pub async fn signal(name: &str, processes: &[i64]) -> Outcome<()> {
    let mut command = Command::new("kill");
    command.arg(format!("-{name}")).arg("--");
    command.args(processes.iter().map(ToString::to_string));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    spawn_blocking(move || command.status()).await??;
    Ok(())
}

/// Asks again and again until there is an answer, for `limit` at most.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let began = Instant::now();
    loop {
        let last = match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if began.elapsed() > limit {
            let last = last.map(|error| format!(": {error}")).unwrap_or_default();
            return Err(format!("waited in vain: {what}{last}").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Ports that services listen on here; the kernel gives those above to outgoing connections, which could take the port of a
/// service that is about to be started again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port of this machine that nobody listens on.
pub fn free_port() -> Outcome<u16> {
    for _ in 0..100 {
        let port = fastrand::u16(PORTS);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".into())
}
