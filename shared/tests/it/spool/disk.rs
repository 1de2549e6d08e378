//! Disks that take no more: full, or read-only. The test runs itself again in a mount name space of its own, with a small disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use shared::event::action;
use shared::spool::SpoolError;
use shared::transport::Bus;

use super::{Log, draft, folders, open_in, open_with, settings};
use crate::support::within;

/// Tells the test binary to be the process on the bad disk, and where that is.
const DIR: &str = "SPOOL_TEST_DISK_DIR";

const FULL: &str = "child_on_a_disk_that_fills_up";
const TOO_SMALL: &str = "child_on_a_disk_without_room";
const READ_ONLY: &str = "child_on_a_read_only_disk";

/// Two MiB, of which a file takes most.
const SMALL: &str = "mount -t tmpfs -o size=2m tmpfs \"$0\"";
/// Room for a folder and a lock, and for no database.
const NO_ROOM: &str = "mount -t tmpfs -o size=8k tmpfs \"$0\"";
const UNWRITABLE: &str = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";

#[expect(
    clippy::disallowed_methods,
    reason = "the variable comes from the parent, and is no setting"
)]
fn disk() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Runs the test `child` on the disk that `mount` makes of a folder. Whether this system allows that.
fn run_on(mount: &str, child: &str, dir: &Path) -> bool {
    let in_own_space = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script]).arg(dir);
        command
    };
    if !in_own_space(mount).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: no mounts in a name space of one's own");
        return false;
    }
    let module = module_path!().split_once("::").unwrap().1;
    let output = in_own_space(&format!("{mount} && exec \"$1\" --exact \"$2\" --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .arg(format!("{module}::{child}"))
        .env(DIR, dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    true
}

/// Why no spool can be opened there.
fn refused_in(dir: &Path) -> SpoolError {
    let Err(refused) = open_with(&settings(dir), &Bus::new()) else {
        panic!("it was opened");
    };
    refused
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_takes_again_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    run_on(SMALL, FULL, dir.path());
}

#[test]
fn a_spool_that_cannot_be_made_on_a_full_disk_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    run_on(NO_ROOM, TOO_SMALL, dir.path());
}

#[test]
fn a_read_only_disk_is_an_error_that_names_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    run_on(UNWRITABLE, READ_ONLY, dir.path());
}

#[tokio::test]
async fn child_on_a_disk_that_fills_up() {
    let Some(dir) = disk() else { return };
    let bus = Bus::new();
    let filler = dir.join("filler");
    std::fs::write(&filler, vec![b'x'; 1024 * 1024]).unwrap();
    let (spool, tasks) = open_in(&dir, &bus);
    let mut taken = 0;
    let refused = loop {
        match spool.append(draft()).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, SpoolError::Storage(_)), "{refused}");
    assert!(taken > 50, "{taken}");
    assert!(matches!(spool.reserve(), Err(SpoolError::Failing)));

    std::fs::remove_file(filler).unwrap();
    within("room", async {
        while spool.append(draft()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(spool.reserve().is_ok());
    let closing = tokio::spawn(tasks.close());
    let mut log = Log::of(&bus);
    log.until(spool.source(), action::BYE).await;

    // `boot` and `bye` around them, and nothing in between is missing.
    let numbers: Vec<_> = (1..=taken + 3).collect();
    assert_eq!(log.numbers(spool.source()), numbers);
    within("the end", closing).await.unwrap();
    assert_eq!(folders(&dir), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn child_on_a_disk_without_room() {
    let Some(dir) = disk() else { return };

    let refused = refused_in(&dir);

    assert!(matches!(refused, SpoolError::Storage(_)), "{refused}");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[tokio::test]
async fn child_on_a_read_only_disk() {
    let Some(dir) = disk() else { return };

    let refused = refused_in(&dir);

    assert!(matches!(refused, SpoolError::Folder(_)), "{refused}");
    assert!(refused.to_string().contains("Read-only"), "{refused}");
}
