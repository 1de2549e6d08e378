//! The binary on command.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use audit_collector::schema::SCHEMA;
use shared::database::Database;
use shared::runtime::cli::StartError;
use tempfile::TempDir;

/// A database on a port that nobody listens on.
const AWAY: &str = "postgres://gatelog:x@127.0.0.1:9/none";

/// The binary with settings whose files are in `folder`, and servers that are not there.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-collector"));
    command
        .args(arguments)
        .env_clear()
        .env("GATELOG_COLLECTOR_DATABASE_URL", AWAY)
        .env(
            "GATELOG_COLLECTOR_BROKER_URL",
            "amqp://audit-collector:x@127.0.0.1:9/%2f",
        )
        .env("GATELOG_COLLECTOR_SPOOL_DIR", folder.join("spool"))
        .env(
            "GATELOG_COLLECTOR_SERVICE_TOKEN",
            "0123456789abcdef0123456789abcdef",
        );
    command
}

#[test]
fn whoever_closes_the_pipe_has_heard_enough() {
    let folder = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let mut command = command(folder.path(), &["check"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();

    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_a_full_disk_swallows_is_no_success() {
    let folder = TempDir::new().unwrap();
    let full = std::fs::File::create("/dev/full").unwrap();

    let mut command = command(folder.path(), &["check"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard output cannot be written"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// The first line that it says on standard error; it is ended then.
fn first_complaint(mut command: Command) -> Option<String> {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        drop(said.read_line(&mut line));
        tell.send(line)
    });
    let line = told.recv_timeout(Duration::from_secs(30));
    child.kill().unwrap();
    child.wait().unwrap();
    line.ok()
}

#[test]
fn a_command_says_that_it_waits_for_its_database() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("www.log");
    std::fs::write(&file, "").unwrap();
    let out = folder.path().join("out").display().to_string();
    for arguments in [
        vec!["completeness"],
        vec!["import", file.to_str().unwrap()],
        vec!["export", "--format", "csv", "--out", &out],
        vec!["dead-letters", "list"],
        vec!["retention", "run", "--dry-run"],
    ] {
        let line = first_complaint(command(folder.path(), &arguments)).expect("it says nothing");

        assert!(
            line.starts_with("audit-collector: the database cannot be reached; trying for 15 s"),
            "{arguments:?}: {line}"
        );
        assert!(!Path::new(&out).exists());
    }
}

#[tokio::test]
async fn who_has_no_patience_is_told_at_once_that_a_server_is_away() {
    let opened = Database::open_within(&AWAY.parse().unwrap(), &SCHEMA, Duration::ZERO).await;

    let Err(StartError::Failed(text)) = opened else {
        panic!("{opened:?}");
    };
    assert!(text.starts_with("the database cannot be reached: "), "{text}");
}
