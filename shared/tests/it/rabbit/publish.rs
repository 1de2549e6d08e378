//! What a publisher may do, and what a confirm is worth.

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ExchangeKind};
use shared::transport::{Broker, PublishError, Transport};

use super::{COLLECTOR, PUBLISHER, Rig, acknowledge, bodies, connect, messages, publish, receive};
use crate::support::within;

#[tokio::test]
async fn what_is_published_is_consumed_in_order_with_its_sender_and_gone_when_acknowledged() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(100).await;
    let mut publisher = rig.publisher();

    publish(&mut publisher, &["a", "b", "c"]).await.unwrap();
    let deliveries = receive(&mut consumer, 3).await;

    assert_eq!(bodies(&deliveries), ["a", "b", "c"]);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.publisher.as_deref() == Some(PUBLISHER))
    );
    acknowledge(&mut consumer, deliveries).await;
    drop(consumer);
    // What was not acknowledged would come before what is new.
    let mut next = rig.consumer(100).await;
    publish(&mut publisher, &["d"]).await.unwrap();
    assert_eq!(bodies(&receive(&mut next, 1).await), ["d"]);
    rig.remove().await;
}

#[tokio::test]
async fn a_large_batch_is_confirmed_as_a_whole() {
    let Some(rig) = Rig::find() else { return };
    let mut consumer = rig.consumer(1_000).await;
    let texts: Vec<_> = (0..512).map(|number: usize| number.to_string()).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();

    publish(&mut rig.publisher(), &texts).await.unwrap();

    assert_eq!(bodies(&receive(&mut consumer, 512).await), texts);
    rig.remove().await;
}

#[tokio::test]
async fn nothing_is_confirmed_before_a_collector_has_declared_the_exchange() {
    let Some(rig) = Rig::find() else { return };
    let mut publisher = rig.publisher();

    for _ in 0..2 {
        let refused = publish(&mut publisher, &["a"]).await;
        assert!(matches!(refused, Err(PublishError::Unroutable)), "{refused:?}");
    }
    let mut consumer = rig.consumer(100).await;
    publish(&mut publisher, &["a"]).await.unwrap();

    assert_eq!(bodies(&receive(&mut consumer, 1).await), ["a"]);
    rig.remove().await;
}

#[tokio::test]
async fn nothing_is_confirmed_while_no_queue_is_bound() {
    let Some(rig) = Rig::find() else { return };
    drop(rig.consumer(100).await);
    let mut publisher = rig.publisher();
    publish(&mut publisher, &["before"]).await.unwrap();
    rig.delete_queue().await;

    for _ in 0..3 {
        let refused = publish(&mut publisher, &["a", "b"]).await;
        assert!(matches!(refused, Err(PublishError::Unroutable)), "{refused:?}");
    }
    let mut consumer = rig.consumer(100).await;
    publish(&mut publisher, &["a", "b"]).await.unwrap();

    // Once each: what came back was nowhere kept.
    assert_eq!(bodies(&receive(&mut consumer, 2).await), ["a", "b"]);
    rig.remove().await;
}

#[tokio::test]
async fn a_publisher_may_publish_and_nothing_else() {
    let Some(rig) = Rig::find() else { return };
    drop(rig.consumer(100).await);
    let exchange = rig.topology.events_exchange();

    let (_declaring, channel) = rig.raw(PUBLISHER).await;
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let declared = channel
        .exchange_declare(
            "t0.events".into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        )
        .await;
    let (_consuming, channel) = rig.raw(PUBLISHER).await;
    let consumed = channel
        .basic_consume(
            rig.topology.collector_queue().as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await;

    assert!(declared.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    assert!(consumed.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    publish(&mut rig.publisher(), &["a"]).await.unwrap();
    assert!(!exchange.is_empty());
    rig.remove().await;
}

#[tokio::test]
async fn the_broker_refuses_a_message_in_another_one_s_name() {
    let Some(rig) = Rig::find() else { return };
    drop(rig.consumer(100).await);
    let (_connection, channel) = rig.raw(PUBLISHER).await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();

    let forged = BasicProperties::default().with_user_id("auth-service".into());
    let confirm = channel
        .basic_publish(
            rig.topology.events_exchange().as_str().into(),
            "auth.authn_login_success.success".into(),
            BasicPublishOptions::default(),
            b"forged",
            forged,
        )
        .await
        .unwrap();
    let refused = within("an answer", confirm).await.unwrap_err();

    assert!(refused.to_string().contains("PRECONDITION_FAILED"), "{refused}");
    assert_eq!(rig.waiting().await, 0);
    rig.remove().await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_or_refuses_the_password_is_an_error_without_it() {
    let Some(rig) = Rig::find() else { return };
    for (address, password) in [("127.0.0.1:1", rig.password.as_str()), (&rig.address, "hunter2")] {
        let transport = Transport::Rabbit(Broker {
            url: format!("amqp://{PUBLISHER}:{password}@{address}/%2f")
                .parse()
                .unwrap(),
            topology: rig.topology.clone(),
            connection_name: rig.connection_name(PUBLISHER),
        });

        let error = publish(&mut transport.publisher(PUBLISHER), &["a"])
            .await
            .unwrap_err();

        assert!(matches!(error, PublishError::Unreachable(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains(password), "{error:?}");
    }
}

#[tokio::test]
async fn declaring_again_changes_nothing() {
    let Some(rig) = Rig::find() else { return };
    let mut first = rig.consumer(100).await;
    publish(&mut rig.publisher(), &["a"]).await.unwrap();

    let mut second = rig.transport(COLLECTOR).consumer(100);
    connect(&mut second).await;

    assert_eq!(bodies(&receive(&mut first, 1).await), ["a"]);
    rig.remove().await;
}

/// Ends the alarm also if the test fails: it stops every publisher of the broker.
struct MemoryAlarm<'r>(&'r Rig);

impl MemoryAlarm<'_> {
    fn raise(rig: &Rig) -> MemoryAlarm<'_> {
        rig.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
        MemoryAlarm(rig)
    }
}

impl Drop for MemoryAlarm<'_> {
    fn drop(&mut self) {
        self.0.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_short_of_memory_is_told_of_and_waited_for() {
    let Some(rig) = Rig::find_alone() else { return };
    let mut consumer = rig.consumer(100).await;
    let mut publisher = rig.publisher();
    publish(&mut publisher, &["before"]).await.unwrap();
    let mut blocked = publisher.watch_blocked();

    let alarm = MemoryAlarm::raise(&rig);
    // The broker still takes what makes it notice a publisher, and nothing after that.
    let publishing = tokio::spawn(async move {
        publisher.publish(&messages(&["a"])).await?;
        publisher.publish(&messages(&["b"])).await
    });
    drop(
        within("word of it", blocked.wait_for(|blocked| *blocked))
            .await
            .unwrap(),
    );
    assert!(!publishing.is_finished());
    drop(alarm);

    within("the confirm", publishing).await.unwrap().unwrap();
    assert!(!*blocked.borrow());
    assert_eq!(bodies(&receive(&mut consumer, 3).await), ["before", "a", "b"]);
    rig.remove().await;
}
