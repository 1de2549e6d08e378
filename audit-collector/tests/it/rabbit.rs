//! Intake from a real broker.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::ingest::{self, Counts, Ingest, Judged, Keeper, judge};
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use shared::clock::SystemClock;
use shared::event::{Event, wire};
use shared::runtime::shutdown::CancellationToken;
use tokio::task::JoinHandle;

use crate::harness::broker::TestBroker;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, event, event_of, request_facts};
use crate::harness::eventually;

const GATHERING: Ingest = Ingest {
    batch_max: 50,
    linger: Duration::from_millis(10),
};

/// A collector's intake.
struct Intake {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Intake {
    /// Starts and waits until there is a queue.
    async fn start(broker: &TestBroker, log: &EventLog) -> Self {
        let stop = CancellationToken::new();
        let consumer = broker.transport("audit-collector").consumer(200);
        let mut connected = consumer.watch_connected();
        let keeper = Keeper {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            counts: Counts::default(),
        };
        let task = tokio::spawn(ingest::run(consumer, keeper, GATHERING, stop.clone()));
        connected.wait_for(|connected| *connected).await.unwrap();
        Self { task, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn events(count: i64) -> Vec<Event> {
    (0..count)
        .map(|second| event(at(second), request_facts()))
        .collect()
}

async fn until_count(database: &TestDatabase, table: &str, count: i64) {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    eventually(&format!("{count} rows in {table}"), || async {
        (database.number(&sql).await >= count).then_some(())
    })
    .await;
    assert_eq!(database.number(&sql).await, count);
}

/// Deliveries that the queue still holds, once nobody holds them unacknowledged.
async fn left_on_queue(broker: &TestBroker) -> u32 {
    let url = broker.url("audit-collector");
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let name = broker.topology().collector_queue();
    let queue = channel
        .queue_declare(name.into(), passive, FieldTable::default())
        .await
        .unwrap();
    queue.message_count()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_stored_and_acknowledged() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let intake = Intake::start(&broker, &database.log().await).await;

    broker.publish("api-service", &events(120)).await;
    until_count(&database, "event", 120).await;
    intake.end().await;

    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    eventually("the queue is empty", || async {
        (left_on_queue(&broker).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_collector_stored_and_did_not_acknowledge_is_one_row() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    let mut dying = broker.transport("audit-collector").consumer(200);
    let mut connected = dying.watch_connected();
    let publishing = async {
        connected.wait_for(|connected| *connected).await.unwrap();
        broker.publish("api-service", &events(30)).await;
    };
    let storing = async {
        let mut stored = 0;
        while stored < 30 {
            let deliveries = dying.receive(50, Duration::from_millis(50)).await.unwrap();
            let batch: Vec<Arrival> = deliveries
                .into_iter()
                .map(|delivery| match judge(delivery.body, delivery.publisher) {
                    Judged::Event(arrival) => *arrival,
                    Judged::Dead(letter) => panic!("{letter:?}"),
                })
                .collect();
            stored += log.append(&batch, &[], NOW).await.unwrap().stored;
        }
    };
    tokio::join!(publishing, storing);
    drop(dying);

    let intake = Intake::start(&broker, &log).await;
    broker.publish("api-service", &events(1)).await;
    until_count(&database, "event", 31).await;
    intake.end().await;

    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    eventually("the queue is empty", || async {
        (left_on_queue(&broker).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_becomes_dead_letters_and_good_events_still_arrive() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let intake = Intake::start(&broker, &database.log().await).await;
    let good = wire::encode(&event(NOW, request_facts())).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let garbage = vec![
        Vec::new(),
        b"\x00\xff garbage".to_vec(),
        vec![b'x'; 1_000_000],
        text.replace(".v1", ".v9").into_bytes(),
        text.replace("2026-01-15T", "2026-13-45T").into_bytes(),
        text.replace("\"sequence\":\"1\"", "\"sequence\":\"-1\"")
            .into_bytes(),
    ];

    broker.publish_bodies("api-service", garbage).await;
    broker.publish_bodies("api-service", vec![good]).await;
    until_count(&database, "event", 1).await;
    until_count(&database, "dead_letter", 6).await;
    intake.end().await;

    let reasons: Vec<(String,)> = database
        .rows("SELECT DISTINCT reason FROM dead_letter ORDER BY reason")
        .await;
    let reasons: Vec<_> = reasons.iter().map(|(reason,)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["malformed", "malformed_sequence", "oversized", "unknown_version"]
    );
    assert_eq!(
        database.number("SELECT MAX(body_bytes) FROM dead_letter").await,
        1_000_000
    );
    eventually("the queue is empty", || async {
        (left_on_queue(&broker).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_speaks_for_another_one() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let intake = Intake::start(&broker, &database.log().await).await;
    let of_auth = event_of("auth-service", NOW, request_facts());

    broker
        .publish("api-service", std::slice::from_ref(&of_auth))
        .await;
    until_count(&database, "dead_letter", 1).await;
    publish_without_user_id(&broker, &of_auth).await;
    until_count(&database, "dead_letter", 2).await;
    broker.publish("auth-service", &[of_auth]).await;
    until_count(&database, "event", 1).await;
    intake.end().await;

    let letters: Vec<(String, Option<String>)> = database
        .rows("SELECT reason, publisher FROM dead_letter ORDER BY received_at")
        .await;
    let mismatch = "publisher_mismatch".to_owned();
    assert_eq!(
        letters,
        [(mismatch.clone(), Some("api-service".into())), (mismatch, None)]
    );
}

async fn publish_without_user_id(broker: &TestBroker, event: &Event) {
    let url = broker.url("auth-service");
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let exchange = broker.topology().events_exchange();
    let body = wire::encode(event).unwrap();
    channel
        .basic_publish(
            exchange.into(),
            "access.api_request.granted".into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_share_the_queue() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    let one = Intake::start(&broker, &log).await;
    let two = Intake::start(&broker, &log).await;

    for _ in 0..5 {
        broker.publish("api-service", &events(100)).await;
    }
    until_count(&database, "event", 500).await;
    one.end().await;
    broker.publish("api-service", &events(10)).await;
    until_count(&database, "event", 510).await;
    two.end().await;

    assert_eq!(database.number("SELECT SUM(events) FROM batch").await, 510);
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_connects_again_after_the_broker_closed_its_connection() {
    let Some(broker) = TestBroker::new() else { return };
    let database = TestDatabase::sqlite();
    let intake = Intake::start(&broker, &database.log().await).await;
    broker.publish("api-service", &events(10)).await;
    until_count(&database, "event", 10).await;

    if !broker.close_connections() {
        return;
    }
    broker.publish("api-service", &events(10)).await;

    until_count(&database, "event", 20).await;
    intake.end().await;
}
