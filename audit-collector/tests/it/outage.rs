//! A database that is away for a while.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::event_log::EventLog;
use audit_collector::ingest::{self, Counts, Ingest, Keeper};
use shared::clock::{Clock, SharedClock, SystemClock, UtcMicros};
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Bus, Message, Publisher, Transport};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, body, event, request_facts};
use crate::harness::eventually;

const GATHERING: Ingest = Ingest {
    batch_max: 100,
    linger: Duration::from_millis(5),
    returned_max: u32::MAX,
};

/// A clock that tells when it was looked at, which intake does when it has a batch to store.
#[derive(Debug, Default)]
struct ConsultedClock {
    consulted: Notify,
}

impl Clock for ConsultedClock {
    fn now(&self) -> UtcMicros {
        self.consulted.notify_one();
        NOW
    }
}

/// A collector's intake within this process, and a publisher for it.
fn start(log: &EventLog, clock: SharedClock) -> (JoinHandle<()>, CancellationToken, Publisher) {
    let transport = Transport::InProcess(Bus::new());
    let stop = CancellationToken::new();
    let keeper = Keeper {
        log: log.clone(),
        clock,
        counts: Counts::default(),
    };
    let task = tokio::spawn(ingest::run(
        transport.consumer(100),
        keeper,
        GATHERING,
        stop.clone(),
    ));
    (task, stop, transport.publisher("api-service"))
}

fn messages(count: i64) -> Vec<Message> {
    let one = |second| Message {
        routing_key: String::new(),
        body: body(&event(at(second), request_facts())),
    };
    (0..count).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_the_database_and_is_stored_once() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let log = database.log().await;
    let (task, stop, mut publisher) = start(&log, Arc::new(SystemClock));
    publisher.publish(&messages(5)).await.unwrap();

    let name = database.name();
    database
        .administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        .await;
    database
        .administer(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .await;
    let publishing = tokio::spawn(async move {
        publisher.publish(&messages(7)).await.unwrap();
        publisher
    });
    eventually("the outage is noticed", || async {
        (!log.database().answers().await).then_some(())
    })
    .await;
    assert!(
        !publishing.is_finished(),
        "nothing is confirmed that is not stored"
    );
    database
        .administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        .await;

    publishing.await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 12);
    assert_eq!(database.number("SELECT SUM(events) FROM batch").await, 12);
    stop.cancel();
    task.await.unwrap();
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_ends_when_told_to_although_the_database_is_away() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let log = database.log().await;
    let clock = Arc::new(ConsultedClock::default());
    let (task, stop, mut publisher) = start(&log, clock.clone());
    log.database().close().await;
    let publishing = tokio::spawn(async move { publisher.publish(&messages(3)).await });
    clock.consulted.notified().await;

    stop.cancel();

    task.await.unwrap();
    assert!(
        publishing.await.unwrap().is_err(),
        "what was not stored is not confirmed"
    );
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_is_kept_apart_from_the_good_ones() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let log = database.log().await;
    database
        .change("ALTER TABLE event ADD CONSTRAINT nothing_refused CHECK (path <> '/orders/refused')")
        .await;
    let (task, stop, mut publisher) = start(&log, Arc::new(SystemClock));
    let mut batch = messages(4);
    let mut facts = request_facts();
    if let Some(http) = &mut facts.http {
        http.path = "/orders/refused".into();
    }
    batch.insert(
        2,
        Message {
            routing_key: String::new(),
            body: body(&event(at(50), facts)),
        },
    );

    publisher.publish(&batch).await.unwrap();

    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 4);
    let letters: Vec<(String,)> = database.rows("SELECT reason FROM dead_letter").await;
    assert_eq!(letters, [("unstorable".to_owned(),)]);
    stop.cancel();
    task.await.unwrap();
    database.remove().await;
}
