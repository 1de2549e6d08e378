//! Following the log: its events in its own order, from any position on.

use std::time::Duration;

use audit_collector::event_log::EventLog;
use audit_collector::sequencing;
use shared::runtime::shutdown::CancellationToken;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, requests};
use crate::harness::eventually;

on_both_databases!(
    a_follower_gets_every_event_once_and_in_order,
    what_this_process_has_stored_it_does_not_read_back,
    what_one_follower_has_read_is_there_for_the_others,
    reading_goes_on_where_events_were_removed,
    bytes_that_are_no_event_any_more_do_not_hide_the_others,
    a_follower_wakes_when_the_log_has_grown,
);

/// Appends batches of those sizes, and waits until they have positions.
async fn log_of(database: &TestDatabase, sizes: &[i64]) -> EventLog {
    let log = database.log().await;
    for (round, size) in (0..).zip(sizes) {
        log.append(&requests(*size), &[], at(round)).await.unwrap();
    }
    let stop = CancellationToken::new();
    let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
    let total = u64::try_from(sizes.iter().sum::<i64>()).unwrap();
    eventually("every event has a position", || async {
        (log.size().await.unwrap() == total).then_some(())
    })
    .await;
    stop.cancel();
    leading.await.unwrap();
    log
}

async fn positions(log: &EventLog, from: u64, limit: usize) -> Vec<u64> {
    let events = log.read_positions(from, limit).await.unwrap();
    events.into_iter().map(|event| event.position).collect()
}

/// The same log in a process that has stored nothing of it.
fn elsewhere(log: &EventLog) -> EventLog {
    EventLog::new(log.database().clone())
}

async fn a_follower_gets_every_event_once_and_in_order(database: &TestDatabase) {
    let log = log_of(database, &[3, 1, 7, 2]).await;
    let other = elsewhere(&log);
    for limit in 1..=14 {
        for log in [&log, &other, &elsewhere(&log)] {
            assert_followed_by(log, limit).await;
        }
    }
    let fourth = &log.read_positions(3, 1).await.unwrap()[0];
    assert_eq!((fourth.position, fourth.recorded_at), (3, at(1)));
    assert!(!fourth.time_suspect);
    assert_eq!(&other.read_positions(3, 1).await.unwrap()[0], fourth);
    assert_eq!(positions(&log, 13, 10).await, [] as [u64; 0]);
    assert_eq!(positions(&log, u64::MAX / 2, 10).await, [] as [u64; 0]);
}

async fn assert_followed_by(log: &EventLog, limit: usize) {
    let (mut from, mut seen) = (0, Vec::new());
    loop {
        let read = log.read_positions(from, limit).await.unwrap();
        assert!(read.len() <= limit, "{} of {limit}", read.len());
        let Some(last) = read.last() else { break };
        from = last.position + 1;
        seen.extend(read);
    }

    let places: Vec<u64> = seen.iter().map(|event| event.position).collect();
    assert_eq!(places, (0..13).collect::<Vec<_>>(), "limit {limit}");
    let ids: std::collections::BTreeSet<Uuid> =
        seen.iter().map(|read| read.event.as_ref().unwrap().id).collect();
    assert_eq!(ids.len(), 13);
}

async fn what_this_process_has_stored_it_does_not_read_back(database: &TestDatabase) {
    let log = log_of(database, &[2, 3]).await;
    let stored = elsewhere(&log).read_positions(0, 10).await.unwrap();

    database.change("DELETE FROM event").await;

    assert_eq!(log.read_positions(0, 10).await.unwrap(), stored);
    assert_eq!(elsewhere(&log).read_positions(0, 10).await.unwrap(), []);
}

async fn what_one_follower_has_read_is_there_for_the_others(database: &TestDatabase) {
    let log = elsewhere(&log_of(database, &[2, 3]).await);
    let read = log.read_positions(0, 10).await.unwrap();

    database.change("DELETE FROM event").await;

    assert_eq!(log.read_positions(0, 10).await.unwrap(), read);
    assert_eq!(positions(&log, 1, 2).await, [1]);
    assert_eq!(positions(&log, 3, 1).await, [3]);
}

async fn reading_goes_on_where_events_were_removed(database: &TestDatabase) {
    let log = elsewhere(&log_of(database, &[2, 5, 5, 3]).await);
    database
        .change("DELETE FROM event WHERE batch_id IN (SELECT id FROM batch WHERE first_position IN (2, 7))")
        .await;

    assert_eq!(positions(&log, 0, 1).await, [0]);
    assert_eq!(positions(&log, 2, 2).await, [12, 13]);
    assert_eq!(positions(&log, 4, 100).await, [12, 13, 14]);

    database
        .change("DELETE FROM batch WHERE first_position = 7")
        .await;
    assert_eq!(positions(&log, 7, 2).await, [12, 13]);
    assert_eq!(positions(&log, 9, 1).await, [12]);
}

async fn bytes_that_are_no_event_any_more_do_not_hide_the_others(database: &TestDatabase) {
    let log = elsewhere(&log_of(database, &[3]).await);
    database
        .change("UPDATE event SET body = ip WHERE ordinal = 1")
        .await;

    let read = log.read_positions(0, 10).await.unwrap();

    let readable: Vec<bool> = read.iter().map(|event| event.event.is_some()).collect();
    assert_eq!(readable, [true, false, true]);
}

async fn a_follower_wakes_when_the_log_has_grown(database: &TestDatabase) {
    let log = log_of(database, &[1]).await;
    let mut growth = log.growth();
    let stop = CancellationToken::new();
    let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
    log.append(&requests(2), &[], NOW).await.unwrap();

    let following = async {
        while positions(&log, 1, 10).await.len() < 2 {
            growth.awaited().await;
        }
    };

    tokio::time::timeout(Duration::from_secs(30), following)
        .await
        .expect("nobody told of the events");
    stop.cancel();
    leading.await.unwrap();
}
