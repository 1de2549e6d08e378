//! What exists on the broker, declared by the collector alone (DESIGN §4).

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::short;
use crate::topology::{DELIVERY_LIMIT, Topology};

/// Declares everything that exists on the broker. Repeating it changes nothing, and mends what is missing. Returns how many
/// deliveries wait that the broker gave up.
pub(super) async fn declare(channel: &Channel, topology: &Topology) -> Result<u32, lapin::Error> {
    let (durable_exchange, durable_queue) = (durable_exchange(), durable_queue());
    let (events, dead) = (short(&topology.events_exchange()), short(&topology.dead()));
    let queue = short(&topology.collector_queue());
    for (name, kind) in [(&events, ExchangeKind::Topic), (&dead, ExchangeKind::Fanout)] {
        channel
            .exchange_declare(name.clone(), kind, durable_exchange, FieldTable::default())
            .await?;
    }
    let dead_queue = channel
        .queue_declare(dead.clone(), durable_queue, quorum_queue())
        .await?;
    channel
        .queue_declare(queue.clone(), durable_queue, collector_queue(topology))
        .await?;
    let bind = QueueBindOptions::default();
    channel
        .queue_bind(dead.clone(), dead, "".into(), bind, FieldTable::default())
        .await?;
    channel
        .queue_bind(queue, events, "#".into(), bind, FieldTable::default())
        .await?;
    Ok(dead_queue.message_count())
}

/// Says that deliveries wait that the broker gave up.
pub(super) fn tell_of_dead(deliveries: u32) {
    if deliveries > 0 {
        tracing::error!(
            deliveries,
            "the broker gave up deliveries whose collectors died again and again; they are taken one at a time"
        );
    }
}

pub(super) fn durable_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    }
}

pub(super) fn durable_queue() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    }
}

/// What the collector's queue is declared with.
pub(super) fn collector_queue(topology: &Topology) -> FieldTable {
    let mut arguments = quorum_queue();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString(topology.dead().into()),
    );
    // At-least-once dead-lettering needs `reject-publish`; the default loses a message when the broker fails meanwhile.
    arguments.insert(
        "x-dead-letter-strategy".into(),
        AMQPValue::LongString("at-least-once".into()),
    );
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    arguments
}

/// What the queue of deliveries that were given up is declared with.
pub(super) fn quorum_queue() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}
