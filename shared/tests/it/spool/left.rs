//! What boots that are gone have left: it takes room, it goes first, and whatever is wrong with one keeps nobody else waiting.

use std::path::Path;

use shared::event::{Source, action};
use shared::spool::{SpoolError, SpoolSettings};
use shared::transport::Bus;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Log, crash_image, draft, folders, open_in, open_with, settings};
use crate::support::within;

/// A folder in which a boot has left so many events.
async fn left_behind(events: usize) -> (TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for _ in 0..events {
        spool.append(draft()).await.unwrap();
    }
    (crash_image(dir.path()), spool.source().clone())
}

/// Moves the only folder in `from` to `to`.
fn move_into(from: &Path, to: &Path) {
    let folder = folders(from).remove(0);
    std::fs::rename(&folder, to.join(folder.file_name().unwrap())).unwrap();
}

#[tokio::test]
async fn crash_after_crash_never_takes_more_than_one_boot_may() {
    let bus = Bus::new();
    let (dir, _) = left_behind(100).await;
    let (more, _) = left_behind(100).await;
    move_into(more.path(), dir.path());
    let small = SpoolSettings {
        bytes_max: 64 * 1024,
        ..settings(dir.path())
    };

    let (spool, tasks) = open_with(&small, &bus).unwrap();
    let refused = spool.append(draft()).await.unwrap_err();
    assert!(matches!(refused, SpoolError::Full), "{refused}");
    assert!(matches!(spool.reserve(), Err(SpoolError::Full)));

    // Once it is drained there is room again.
    let source = spool.source().clone();
    let storing = tokio::spawn(async move {
        let mut log = Log::of(&bus);
        log.until(&source, action::BYE).await;
        log
    });
    within("room", async {
        while spool.append(draft()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within("the end", tasks.close()).await;
    assert_eq!(storing.await.unwrap().events.len(), 2 * 101 + 3);
    assert_eq!(folders(dir.path()).len(), 0);
}

#[tokio::test]
async fn thousands_of_folders_are_cleared_away() {
    let bus = Bus::new();
    let (dir, left) = left_behind(3).await;
    for _ in 0..3_000 {
        let folder = dir.path().join(format!("api-service.{}.boot", Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("lock"), "{}").unwrap();
    }

    let (spool, tasks) = open_in(dir.path(), &bus);
    spool.append(draft()).await.unwrap();
    let mut log = Log::of(&bus);
    log.until(spool.source(), action::API_REQUEST).await;
    log.until_count(&left, 4).await;
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    within("the end", closing).await.unwrap();

    assert_eq!(log.numbers(&left), [1, 2, 3, 4]);
    assert_eq!(folders(dir.path()).len(), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_keeps_nobody_waiting() {
    let bus = Bus::new();
    let (dir, left) = left_behind(3).await;
    let unreadable = dir.path().join(format!("api-service.{}.boot", Uuid::nil()));
    std::fs::create_dir(&unreadable).unwrap();
    // Nobody may follow a link to itself, not even root.
    std::os::unix::fs::symlink("lock", unreadable.join("lock")).unwrap();

    let (spool, tasks) = open_in(dir.path(), &bus);
    spool.append(draft()).await.unwrap();
    let mut log = Log::of(&bus);
    // A process that is just being started by another test may hold what this one held, for a moment.
    log.until_count(&left, 4).await;
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    within("the end", closing).await.unwrap();

    assert_eq!(log.numbers(&left), [1, 2, 3, 4]);
    assert_eq!(folders(dir.path()), [unreadable], "it is left as it is");
}

#[tokio::test]
async fn what_is_in_a_folder_that_was_removed_is_forwarded_all_the_same() {
    let bus = Bus::new();
    let dir = tempfile::tempdir().unwrap();
    let (spool, tasks) = open_in(dir.path(), &bus);
    for _ in 0..10 {
        spool.append(draft()).await.unwrap();
    }

    std::fs::remove_dir_all(&folders(dir.path())[0]).unwrap();
    let closing = tokio::spawn(tasks.close());
    let mut log = Log::of(&bus);
    log.until(spool.source(), action::BYE).await;
    within("the end", closing).await.unwrap();

    assert_eq!(log.numbers(spool.source()), (1..=12).collect::<Vec<_>>());
}
