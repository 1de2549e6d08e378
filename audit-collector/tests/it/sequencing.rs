//! The order of the log: positions without holes, whoever leads.

use audit_collector::event_log::EventLog;
use audit_collector::sequencing;
use shared::runtime::shutdown::CancellationToken;
use tokio::task::JoinHandle;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, requests};
use crate::harness::eventually;

on_both_databases!(two_collectors_give_positions_without_holes);

fn lead(log: &EventLog) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    (tokio::spawn(sequencing::run(log.clone(), stop.clone())), stop)
}

async fn until_positioned(database: &TestDatabase, events: i64) {
    eventually("every event has a position", || async {
        let size = database.number("SELECT size FROM log_state").await;
        (size == events).then_some(())
    })
    .await;
}

/// The position of every event, in order.
async fn positions(database: &TestDatabase) -> Vec<i64> {
    let sql = "SELECT b.first_position + e.ordinal AS position FROM event e JOIN batch b ON b.id = e.batch_id \
        ORDER BY position";
    let rows: Vec<(i64,)> = database.rows(sql).await;
    rows.into_iter().map(|(position,)| position).collect()
}

async fn two_collectors_give_positions_without_holes(database: &TestDatabase) {
    let (one, two) = (database.log().await, database.log().await);
    let leaders = [lead(&one), lead(&two)];

    let append = async |log: &EventLog| {
        for round in 0..30 {
            let batch = requests(1 + round % 7);
            log.append(&batch, &[], at(round)).await.unwrap();
        }
    };
    tokio::join!(append(&one), append(&two));

    let total = database.number("SELECT COUNT(*) FROM event").await;
    until_positioned(database, total).await;
    assert_eq!(positions(database).await, (0..total).collect::<Vec<_>>());
    for (task, stop) in leaders {
        stop.cancel();
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_collector_leads_when_the_leader_s_connection_dies() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let (one, two) = (database.log().await, database.log().await);
    let (first, stop_first) = lead(&one);
    one.append(&requests(3), &[], NOW).await.unwrap();
    until_positioned(&database, 3).await;
    let (second, stop_second) = lead(&two);

    // The first loses its connection and may not come back.
    stop_first.cancel();
    let killed = database
        .number(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    for round in 0..5 {
        two.append(&requests(2), &[], at(round)).await.unwrap();
    }

    assert!(killed <= 1);
    until_positioned(&database, 13).await;
    assert_eq!(positions(&database).await, (0..13).collect::<Vec<_>>());
    stop_second.cancel();
    first.await.unwrap();
    second.await.unwrap();
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_leads_again_after_its_connection_was_closed() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let log = database.log().await;
    let (leading, stop) = lead(&log);
    log.append(&requests(3), &[], NOW).await.unwrap();
    until_positioned(&database, 3).await;

    let killed = database
        .number(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    log.append(&requests(4), &[], at(1)).await.unwrap();

    assert_eq!(killed, 1);
    until_positioned(&database, 7).await;
    stop.cancel();
    leading.await.unwrap();
    database.remove().await;
}
