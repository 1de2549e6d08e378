//! Numbers without gaps, in order, with a hash that proves them.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use shared::event::action;
use shared::transport::Bus;

use super::{Log, draft, open_in};
use crate::support::within;

/// The running hash over `bodies`, in hexadecimal, computed from its description alone.
fn running_hash<'b>(bodies: impl IntoIterator<Item = &'b [u8]>) -> String {
    let mut hash = vec![0; 32];
    for body in bodies {
        hash.extend_from_slice(digest(&SHA256, body).as_ref());
        hash = digest(&SHA256, &hash).as_ref().to_vec();
    }
    hash.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

#[tokio::test]
async fn a_source_numbers_from_boot_to_bye_without_a_gap() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    for _ in 0..100 {
        spool.append(draft()).await.unwrap();
    }

    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;

    assert_eq!(log.numbers(spool.source()), (1..=102).collect::<Vec<_>>());
    assert_eq!(log.events[0].facts.action, action::BOOT);
    assert_eq!(log.events[101].facts.action, action::BYE);
    within("the end", closing).await.unwrap();
}

#[tokio::test]
async fn bye_proves_every_byte_before_it() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    for _ in 0..10 {
        spool.append(draft()).await.unwrap();
    }

    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;

    let bye = &log.events[11].facts;
    let before = log.bodies[..11].iter().map(AsRef::as_ref);
    assert_eq!(bye.detail["last_seq"], json!(11));
    assert_eq!(bye.detail["running_hash"], json!(running_hash(before)));
    within("the end", closing).await.unwrap();
}

#[tokio::test]
async fn a_heartbeat_proves_what_came_before_it() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(dir.path(), &bus);
    spool.append(draft()).await.unwrap();

    // The writer is a thread of the system, which a clock that stays paused would outrun.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    log.until(spool.source(), action::HEARTBEAT).await;

    let at = log
        .events
        .iter()
        .position(|event| event.facts.action == action::HEARTBEAT)
        .unwrap();
    let detail = &log.events[at].facts.detail;
    let before = log.bodies[..at].iter().map(AsRef::as_ref);
    assert_eq!(detail["last_seq"], json!(at));
    assert_eq!(detail["running_hash"], json!(running_hash(before)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_of_many_tasks_are_numbered_once_each_and_come_in_order() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    let appending: Vec<_> = (0..50)
        .map(|_| {
            let spool = spool.clone();
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for _ in 0..40 {
                    let draft = draft();
                    ids.push(draft.id);
                    spool.append(draft).await.unwrap();
                }
                ids
            })
        })
        .collect();
    let mut appended = BTreeSet::new();
    let source = spool.source().clone();
    let storing = tokio::spawn(async move {
        log.until(&source, action::BYE).await;
        log
    });
    for task in appending {
        appended.extend(task.await.unwrap());
    }

    within("the end", tasks.close()).await;
    let log = storing.await.unwrap();

    assert_eq!(log.numbers(spool.source()), (1..=2_002).collect::<Vec<_>>());
    let stored: BTreeSet<_> = log.events[1..2_001].iter().map(|event| event.id).collect();
    assert_eq!(stored, appended);
}

#[tokio::test]
async fn what_a_failing_transport_refused_comes_again_in_order() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    for _ in 0..20 {
        spool.append(draft()).await.unwrap();
    }
    for _ in 0..3 {
        // A delivery that is dropped is not confirmed.
        let mut refused = log.receive().await;
        refused.drain(..refused.len() / 2);
    }

    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;

    // Stored are only those that were acknowledged; a repetition never overtakes.
    assert_eq!(log.numbers(spool.source()), (1..=22).collect::<Vec<_>>());
    within("the end", closing).await.unwrap();
}
