//! The single process, started as a user starts it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for what must happen.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A running `gatelog` with what it has printed.
pub(crate) struct Gatelog {
    child: Child,
    lines: Receiver<String>,
    printed: String,
    folder: TempDir,
}

impl Gatelog {
    /// Starts it in an empty folder.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    /// Starts it in a folder where it may have run before.
    pub(crate) fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        Self::start_within(folder, arguments, &[])
    }

    /// Starts it in an empty folder with more in its environment.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_within(tempfile::tempdir().unwrap(), &[], environment)
    }

    fn start_within(folder: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gatelog"))
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("GATELOG_LISTEN", "127.0.0.1:0")
            .env("GATELOG_AUTH_LISTEN", "127.0.0.1:0")
            .env("GATELOG_COLLECTOR_LISTEN", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                sender.send(line.unwrap()).unwrap();
            }
        });
        Self {
            child,
            lines,
            printed: String::new(),
            folder,
        }
    }

    /// Waits until it has printed `text`, and returns all that it has printed.
    pub(crate) fn printed_until(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + DEADLINE;
        while !self.printed.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no {text:?} in\n{}\n{}", self.printed, self.log()));
            self.printed += &line;
            self.printed.push('\n');
        }
        &self.printed
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let mut log = String::new();
        std::fs::File::open(self.folder.path().join("log"))
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        log
    }

    /// Asks it to stop, and returns its exit code and the folder.
    pub(crate) fn terminate(mut self) -> (Option<i32>, TempDir) {
        signal(&self.child, "TERM");
        let code = self.child.wait().unwrap().code();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (code, folder)
    }

    /// Kills it without warning, and returns the folder.
    pub(crate) fn kill(mut self) -> TempDir {
        signal(&self.child, "KILL");
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Gatelog {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process that this test started.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
