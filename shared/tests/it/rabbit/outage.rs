//! Connections that the broker closes, and queues that go away under load: nothing that was confirmed is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use shared::clock::{SystemClock, UtcMicros};
use shared::event::{Class, Draft, Facts, Outcome, action, wire};
use shared::spool::{SpoolSettings, open};
use shared::transport::{ConsumeError, PublishError};

use super::{COLLECTOR, PUBLISHER, Rig, bodies, publish, receive};
use crate::support::{until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_whose_connection_was_closed_connects_again() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    let mut publisher = rig.publisher();
    publish(&mut publisher, &["a"]).await.unwrap();

    rig.close_connections(PUBLISHER);
    // Whether the first publish fails or knows already that it must connect again is a matter of time.
    let mut failures = 0;
    while let Err(error) = publish(&mut publisher, &["b"]).await {
        assert!(matches!(error, PublishError::Unreachable(_)), "{error:?}");
        failures += 1;
    }

    assert!(failures <= 1, "{failures} failures");
    assert_eq!(bodies(&receive(&mut consumer, 2).await), ["a", "b"]);
    drop(publisher);
    until("the end of a dropped publisher's connection", || {
        rig.connections(PUBLISHER).is_empty()
    })
    .await;
    rig.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_under_load_loses_nothing_that_was_confirmed() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(10_000).await;
    let mut publisher = rig.publisher();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    publish(&mut publisher, &["first"]).await.unwrap();
    let publishing = tokio::spawn(async move {
        let mut confirmed = Vec::new();
        while stopped.try_recv().is_err() {
            let body = confirmed.len().to_string();
            if publish(&mut publisher, &[&body]).await.is_ok() {
                confirmed.push(body);
            }
        }
        confirmed
    });

    rig.close_connections(PUBLISHER);
    stop.send(()).unwrap();
    let confirmed = within("the last confirm", publishing).await.unwrap();

    let mut missing: BTreeSet<_> = confirmed.iter().map(String::as_str).collect();
    while !missing.is_empty() {
        for body in bodies(&receive(&mut consumer, 1).await) {
            missing.remove(body);
        }
    }
    rig.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_connection_was_closed_gets_everything_again() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b"]).await.unwrap();
    drop(receive(&mut consumer, 1).await);
    let later = receive(&mut consumer, 1).await;

    rig.close_connections(COLLECTOR);
    let ended = within("the end", consumer.receive(1, Duration::ZERO)).await;

    assert!(
        matches!(ended, Err(ConsumeError::Unreachable(_) | ConsumeError::Cancelled)),
        "{ended:?}"
    );
    let receipts = later.into_iter().map(|delivery| delivery.receipt).collect();
    consumer.acknowledge(receipts).await.unwrap();
    assert_eq!(bodies(&receive(&mut consumer, 2).await), ["a", "b"]);
    rig.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_outlives_a_queue_that_is_deleted_under_load() {
    let Some(rig) = Rig::find() else { return };
    let dir = tempfile::tempdir().unwrap();
    let settings = SpoolSettings {
        dir: dir.path().to_owned(),
        service: PUBLISHER,
        instance: "test".parse().unwrap(),
        bytes_max: 1 << 30,
    };
    let (spool, tasks) = open(&settings, &rig.transport(PUBLISHER), Arc::new(SystemClock)).unwrap();
    let append = async |count: usize| {
        for _ in 0..count {
            let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Granted);
            let now = UtcMicros::from_seconds(1_700_000_000);
            spool.append(Draft::new(now, facts)).await.unwrap();
        }
    };
    // Nothing is there yet; then a collector comes, its binding goes, and it comes back.
    append(100).await;
    let mut consumer = rig.consumer(1_000).await;
    let mut stored = BTreeSet::new();
    store(&mut consumer, &mut stored, 50).await;
    unbind(&rig).await;
    append(300).await;
    let mut second = rig.consumer(1_000).await;
    drop(consumer);
    let closing = tokio::spawn(tasks.close());
    store(&mut second, &mut stored, 402).await;

    assert_eq!(stored, (1..=402).collect());
    within("the end", closing).await.unwrap();
    rig.remove().await;
}

/// Stores until there are `count` different events.
async fn store(consumer: &mut shared::transport::Consumer, stored: &mut BTreeSet<u64>, count: usize) {
    while stored.len() < count {
        let receiving = consumer.receive(100, Duration::ZERO);
        let deliveries = within("a delivery", receiving).await.unwrap();
        stored.extend(
            deliveries
                .iter()
                .map(|delivery| wire::decode(&delivery.body).unwrap().seq),
        );
        super::acknowledge(consumer, deliveries).await;
    }
}

async fn unbind(rig: &Rig) {
    let (_connection, channel) = rig.raw(COLLECTOR).await;
    let queue = rig.topology.collector_queue();
    let exchange = rig.topology.events_exchange();
    channel
        .queue_unbind(
            queue.as_str().into(),
            exchange.as_str().into(),
            "#".into(),
            FieldTable::default(),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_consumer_that_waits_mends_what_was_taken_from_it() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    let mut publisher = rig.publisher();

    unbind(&rig).await;
    delete_exchange(&rig).await;
    let refused = publish(&mut publisher, &["a"]).await;
    let receiving = tokio::spawn(async move { receive(&mut consumer, 1).await });
    within("a confirm", async {
        while publish(&mut publisher, &["b"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;

    assert!(matches!(refused, Err(PublishError::Unroutable)), "{refused:?}");
    assert_eq!(bodies(&receiving.await.unwrap()), ["b"]);
    rig.remove().await;
}

#[tokio::test]
async fn what_was_taken_before_the_queue_was_deleted_is_still_received() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b"]).await.unwrap();

    // It takes both and waits for more; then the queue is gone, and neither would come again.
    let deleting = async {
        until_taken(&rig).await;
        rig.delete_queue().await;
    };
    let receiving = consumer.receive(3, Duration::from_hours(1));
    let (received, ()) = within("what was taken", async { tokio::join!(receiving, deleting) }).await;

    assert_eq!(bodies(&received.unwrap()), ["a", "b"]);
    let next = within("the end", consumer.receive(1, Duration::ZERO)).await;
    assert!(matches!(next, Err(ConsumeError::Cancelled)), "{next:?}");
    rig.remove().await;
}

/// Waits until nothing in the queue is left to be delivered.
async fn until_taken(rig: &Rig) {
    let (_connection, channel) = rig.raw(COLLECTOR).await;
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = rig.topology.collector_queue();
    let look = || channel.queue_declare(queue.as_str().into(), passive, FieldTable::default());
    within("an empty queue", async {
        while look().await.unwrap().message_count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn delete_exchange(rig: &Rig) {
    let (_connection, channel) = rig.raw(COLLECTOR).await;
    let exchange = rig.topology.events_exchange();
    channel
        .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
}
