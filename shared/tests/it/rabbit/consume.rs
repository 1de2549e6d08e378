//! Acknowledgement: never of what nobody has stored, and what is not acknowledged comes again.

use std::time::Duration;

use bytes::Bytes;
use shared::transport::{ConsumeError, Delivery, Message, Receipt};

use super::{Rig, acknowledge, bodies, publish, receive};
use crate::support::within;

fn receipts(deliveries: Vec<Delivery>) -> Vec<Receipt> {
    deliveries.into_iter().map(|delivery| delivery.receipt).collect()
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_to_another_consumer() {
    let Some(rig) = Rig::find() else { return };
    let mut first = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b", "c"]).await.unwrap();
    let taken = receive(&mut first, 2).await;

    drop(first);
    drop(taken);
    let mut second = rig.consumer(100).await;

    assert_eq!(bodies(&receive(&mut second, 3).await), ["a", "b", "c"]);
    rig.remove().await;
}

#[tokio::test]
async fn an_acknowledgement_covers_everything_up_to_its_last_and_no_more() {
    let Some(rig) = Rig::find() else { return };
    let mut first = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b", "c", "d", "e"])
        .await
        .unwrap();

    let stored = receive(&mut first, 3).await;
    acknowledge(&mut first, stored).await;
    drop(receive(&mut first, 1).await);
    drop(first);
    let mut second = rig.consumer(100).await;

    assert_eq!(bodies(&receive(&mut second, 2).await), ["d", "e"]);
    rig.remove().await;
}

#[tokio::test]
async fn batches_are_acknowledged_one_after_the_other() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b", "c"]).await.unwrap();

    let (one, two) = (receive(&mut consumer, 1).await, receive(&mut consumer, 2).await);
    acknowledge(&mut consumer, one).await;
    acknowledge(&mut consumer, two).await;
    drop(consumer);
    let mut next = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["d"]).await.unwrap();

    assert_eq!(bodies(&receive(&mut next, 1).await), ["d"]);
    rig.remove().await;
}

#[tokio::test]
async fn what_was_let_go_of_is_not_acknowledged_with_what_came_later() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b", "c"]).await.unwrap();
    drop(receive(&mut consumer, 1).await);
    let later = receive(&mut consumer, 1).await;

    let refused = consumer.acknowledge(receipts(later)).await;

    assert!(matches!(refused, Err(ConsumeError::OutOfOrder)), "{refused:?}");
    assert_eq!(bodies(&receive(&mut consumer, 3).await), ["a", "b", "c"]);
    rig.remove().await;
}

#[tokio::test]
async fn a_receipt_of_a_former_connection_acknowledges_nothing_on_the_next() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b"]).await.unwrap();
    let (former, later) = (receive(&mut consumer, 1).await, receive(&mut consumer, 1).await);
    // An acknowledgement out of order ends the connection.
    assert!(consumer.acknowledge(receipts(later)).await.is_err());
    assert_eq!(bodies(&receive(&mut consumer, 2).await), ["a", "b"]);

    acknowledge(&mut consumer, former).await;
    drop(consumer);
    let mut next = rig.consumer(100).await;

    assert_eq!(bodies(&receive(&mut next, 2).await), ["a", "b"]);
    rig.remove().await;
}

#[tokio::test]
async fn a_receive_that_was_given_up_loses_nothing() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a", "b"]).await.unwrap();

    // It has taken something and lingers for more when it is dropped.
    let lingering = consumer.receive(100, Duration::from_hours(1));
    let all_delivered = async { while rig.waiting().await > 0 {} };
    tokio::select! {
        received = lingering => panic!("{received:?} before the linger was over"),
        () = within("the deliveries", all_delivered) => {}
    }

    let deliveries = receive(&mut consumer, 2).await;
    assert_eq!(bodies(&deliveries), ["a", "b"]);
    acknowledge(&mut consumer, deliveries).await;
    rig.remove().await;
}

#[tokio::test]
async fn a_consumer_holds_no_more_than_its_prefetch() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(2).await;
    publish(&mut rig.publisher(), &["a", "b", "c"]).await.unwrap();

    let held = consumer.receive(3, Duration::from_millis(200)).await.unwrap();

    assert!(held.len() <= 2, "{held:?}");
    rig.remove().await;
}

#[tokio::test]
async fn a_deleted_queue_ends_the_consumer_and_the_next_receive_declares_it_again() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    rig.delete_queue().await;

    let ended = within("the end", consumer.receive(1, Duration::ZERO)).await;

    assert!(matches!(ended, Err(ConsumeError::Cancelled)), "{ended:?}");
    assert!(!*consumer.watch_connected().borrow());
    super::connect(&mut consumer).await;
    publish(&mut rig.publisher(), &["a"]).await.unwrap();
    assert_eq!(bodies(&receive(&mut consumer, 1).await), ["a"]);
    rig.remove().await;
}

/// Events of one key, which share a message.
async fn publish_together(rig: &Rig, bodies: &[&str]) {
    let together = |body: &&str| Message {
        routing_key: "access.api_request.granted".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let messages: Vec<_> = bodies.iter().map(together).collect();
    within("a confirm", rig.publisher().publish(&messages))
        .await
        .unwrap();
}

#[tokio::test]
async fn events_that_share_a_message_come_one_by_one() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(1).await;

    // With a prefetch of one they would otherwise not come together.
    publish_together(&rig, &["1", "2", "3"]).await;

    assert_eq!(bodies(&receive(&mut consumer, 3).await), ["1", "2", "3"]);
    rig.remove().await;
}

#[tokio::test]
async fn a_message_is_acknowledged_with_its_last_event() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    publish_together(&rig, &["1", "2"]).await;
    publish_together(&rig, &["3", "4"]).await;

    let stored = receive(&mut consumer, 3).await;
    acknowledge(&mut consumer, stored).await;
    drop(consumer);
    let mut next = rig.consumer(100).await;

    assert_eq!(bodies(&receive(&mut next, 2).await), ["3", "4"]);
    rig.remove().await;
}
