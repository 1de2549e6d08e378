//! Power loss and broken disks: what is left of a torn write is an intact beginning, and never a panic.

use std::path::{Path, PathBuf};

use shared::event::action;
use shared::transport::Bus;
use tempfile::TempDir;

use super::{Log, crash_image, draft, folders, open_in};

const APPENDS: u64 = 40;

/// The folder that a boot left after some appends.
async fn left_by_a_crash() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for _ in 0..APPENDS {
        spool.append(draft()).await.unwrap();
    }
    crash_image(dir.path())
}

fn file(image: &Path, name: &str) -> PathBuf {
    folders(image)[0].join(name)
}

/// The numbers that the next boot forwards of what was left.
async fn forwarded(image: &Path) -> Vec<u64> {
    let bus = Bus::new();
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(image, &bus);
    log.until(spool.source(), action::BOOT).await;
    let left = log.events.iter().filter(|event| event.source != *spool.source());
    left.map(|event| event.seq).collect()
}

#[tokio::test]
async fn an_undamaged_image_holds_everything() {
    let image = left_by_a_crash().await;

    assert_eq!(
        forwarded(image.path()).await,
        (1..=APPENDS + 1).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_log_cut_short_holds_a_beginning() {
    for cut in [1, 100, 4_096, 20_000] {
        let image = left_by_a_crash().await;
        let path = file(image.path(), "spool.db-wal");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();

        let numbers = forwarded(image.path()).await;

        let count = numbers.len() as u64;
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{cut} bytes cut");
        assert!(
            (20..=APPENDS).contains(&count),
            "{count} of {APPENDS} with {cut} bytes cut"
        );
    }
}

#[tokio::test]
async fn a_log_with_garbage_holds_what_is_before_it() {
    for tail in [10, 5_000, 30_000] {
        let image = left_by_a_crash().await;
        let path = file(image.path(), "spool.db-wal");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - tail;
        bytes[at..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();

        let numbers = forwarded(image.path()).await;

        let count = numbers.len() as u64;
        assert_eq!(
            numbers,
            (1..=count).collect::<Vec<_>>(),
            "{tail} bytes of garbage"
        );
        assert!(
            (20..=APPENDS).contains(&count),
            "{count} of {APPENDS}, {tail} bytes of garbage"
        );
    }
}
