//! Intake from a real broker.

use std::time::Duration;

use audit_collector::event_log::Arrival;
use audit_collector::ingest::{Judged, judge};
use shared::event::Event;

use crate::harness::broker::TestBroker;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, event, request_facts};
use crate::harness::intake::{Intake, until_count, until_left_on};

fn events(count: i64) -> Vec<Event> {
    (0..count)
        .map(|second| event(at(second), request_facts()))
        .collect()
}

/// Waits until nothing is left to collect.
async fn until_empty(broker: &TestBroker) {
    until_left_on(broker, &broker.topology().collector_queue(), 0).await;
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
    until_empty(&broker).await;
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
    until_empty(&broker).await;
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
