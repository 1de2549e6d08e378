//! Deliveries that the broker gave up because collectors died of them again and again.

use lapin::options::{BasicGetOptions, BasicRejectOptions};
use shared::event::wire;
use shared::topology::DELIVERY_LIMIT;

use crate::harness::broker::TestBroker;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, event, request_facts};
use crate::harness::intake::{Intake, channel_of, until_count, until_left_on};

on_both_databases!(
    what_the_broker_gave_up_is_stored_after_all,
    what_goes_on_killing_is_set_apart_as_it_came,
);

/// Takes what is next on the queue and gives it back, as a collector does that dies, so many times.
async fn die_of_the_next(broker: &TestBroker, queue: &str, times: i32) {
    let (connection, channel) = channel_of(broker, "audit-collector").await;
    let mut died = 0;
    while died < times {
        let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        // A message that came back is not there again at once.
        let Some(message) = got.unwrap() else { continue };
        let back = BasicRejectOptions { requeue: true };
        channel
            .basic_reject(message.delivery.delivery_tag, back)
            .await
            .unwrap();
        died += 1;
    }
    connection.close(200, "died".into()).await.unwrap();
}

/// Has a collector make the queues, and goes before anything comes.
async fn declare(broker: &TestBroker, database: &TestDatabase) {
    Intake::start(broker, &database.log().await).await.end().await;
}

async fn what_the_broker_gave_up_is_stored_after_all(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    declare(&broker, database).await;
    // They share a message, whose other events are innocent.
    let bodies: Vec<_> = [event(at(1), request_facts()), event(at(2), request_facts())]
        .iter()
        .map(|event| wire::encode(event).unwrap())
        .chain([b"{}".to_vec()])
        .collect();
    broker.publish_bodies("api-service", bodies).await;
    let topology = broker.topology();

    die_of_the_next(&broker, &topology.collector_queue(), DELIVERY_LIMIT + 1).await;
    until_left_on(&broker, &topology.dead(), 1).await;
    let log = database.log().await;
    let intake = Intake::of_dead(&broker, &log).await;
    until_count(database, "event", 2).await;
    until_count(database, "dead_letter", 1).await;
    intake.end().await;

    until_left_on(&broker, &topology.dead(), 0).await;
    until_left_on(&broker, &topology.collector_queue(), 0).await;
    assert_eq!(database.number("SELECT COUNT(*) FROM batch").await, 2);
    let reasons: Vec<(String,)> = database.rows("SELECT reason FROM dead_letter").await;
    assert_eq!(reasons, [("malformed".to_owned(),)]);
}

async fn what_goes_on_killing_is_set_apart_as_it_came(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    declare(&broker, database).await;
    let killing = wire::encode(&event(NOW, request_facts())).unwrap();
    broker.publish_bodies("api-service", vec![killing.clone()]).await;
    let topology = broker.topology();

    die_of_the_next(&broker, &topology.collector_queue(), DELIVERY_LIMIT + 1).await;
    until_left_on(&broker, &topology.dead(), 1).await;
    die_of_the_next(&broker, &topology.dead(), 4).await;
    let intake = Intake::of_dead(&broker, &database.log().await).await;
    until_count(database, "dead_letter", 1).await;
    intake.end().await;

    until_left_on(&broker, &topology.dead(), 0).await;
    let letters: Vec<(String, Option<String>, Vec<u8>)> = database
        .rows("SELECT reason, publisher, body FROM dead_letter")
        .await;
    assert_eq!(
        letters,
        [("given_up".to_owned(), Some("api-service".to_owned()), killing)]
    );
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 0);
}
