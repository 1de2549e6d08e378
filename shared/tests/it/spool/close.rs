//! An orderly end.

use std::fs::File;

use shared::event::action;
use shared::spool::SpoolError;
use shared::transport::Bus;

use super::{Log, draft, folders, open_in};
use crate::support::{until, within};

#[tokio::test]
async fn the_end_waits_for_the_last_confirm_and_leaves_nothing() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    log.until(spool.source(), action::BOOT).await;

    let closing = tokio::spawn(tasks.close());
    let bye = log.receive().await;

    assert!(!closing.is_finished());
    assert_eq!(folders(dir.path()).len(), 1);
    log.store(bye).await;
    within("the end", closing).await.unwrap();
    assert_eq!(folders(dir.path()).len(), 0);
}

#[tokio::test]
async fn the_end_is_bounded_and_the_next_boot_forwards_what_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (first, tasks) = open_in(dir.path(), &Bus::new());
    first.append(draft()).await.unwrap();

    // Nobody ever confirms, which a paused clock need not wait for.
    tokio::time::pause();
    tasks.close().await;
    tokio::time::resume();
    let lock = File::open(folders(dir.path())[0].join("lock")).unwrap();
    until("the writer's end", || lock.try_lock().is_ok()).await;
    drop(lock);
    let bus = Bus::new();
    let mut log = Log::of(&bus);
    let (second, _tasks) = open_in(dir.path(), &bus);
    log.until(second.source(), action::BOOT).await;

    assert_eq!(log.numbers(first.source()), [1, 2, 3]);
    assert_eq!(log.events[2].facts.action, action::BYE);
}

#[tokio::test]
async fn a_closed_spool_takes_nothing() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    within("the end", closing).await.unwrap();

    let refused = spool.append(draft()).await;

    assert!(matches!(refused, Err(SpoolError::Closed)));
}

#[tokio::test]
async fn the_folder_of_a_living_boot_is_not_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let (living, _tasks) = open_in(dir.path(), &Bus::new());
    living.append(draft()).await.unwrap();
    let bus = Bus::new();
    let mut log = Log::of(&bus);

    // Adoption comes before the first event of the new boot.
    let (other, _other_tasks) = open_in(dir.path(), &bus);
    log.until(other.source(), action::BOOT).await;

    assert_eq!(log.numbers(living.source()), [0; 0]);
    assert_eq!(folders(dir.path()).len(), 2);
    living.append(draft()).await.unwrap();
}
