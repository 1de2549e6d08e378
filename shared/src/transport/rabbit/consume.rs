//! The consumer: takes messages apart into their events, numbers these, and acknowledges them in batches.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::declare::{declare, tell_of_dead};
use super::pack::unpack;
use super::{Broker, CONNECT_TIMEOUT, short};
use crate::topology::Topology;
use crate::transport::{ConsumeError, Delivery, Receipt};

/// How long nothing may come before everything is declared again: the way here may be gone, and nobody else makes it anew. A
/// queue that was unbound is silent, and its consumer is not told.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// The header in which a quorum queue says how often a message came back to it.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Consumes from one of the collector's queues, all of which it declares with what belongs to them.
#[derive(Debug)]
pub struct RabbitConsumer {
    broker: Broker,
    queue: ConsumedQueue,
    prefetch: u16,
    open: Option<OpenConsumer>,
    /// The number of the last event, over all connections.
    received: u64,
    connected: watch::Sender<bool>,
}

/// Which queue is consumed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConsumedQueue {
    Events,
    Dead,
}

#[derive(Debug)]
struct OpenConsumer {
    /// Kept because dropping it closes the channel.
    _connection: Connection,
    channel: Channel,
    consumer: lapin::Consumer,
    /// The number of the last event that came before this connection.
    before: u64,
    /// The number of the last event that was acknowledged, or that came before.
    acknowledged: u64,
    /// The messages that are not acknowledged: the number of the last event of each, and the broker's tag.
    messages: VecDeque<(u64, u64)>,
    /// What a receive has taken so far; kept here so that dropping its future loses nothing.
    taken: VecDeque<Delivery>,
    /// What the next receive meets that finds nothing taken.
    failed: Option<ConsumeError>,
}

impl OpenConsumer {
    /// Takes the events of the next message.
    async fn take_next(&mut self, received: &mut u64) -> Result<(), ConsumeError> {
        let next = self.consumer.next().await.ok_or(ConsumeError::Cancelled)?;
        let message = next.map_err(ConsumeError::Unreachable)?;
        let publisher = message.properties.user_id().as_ref().map(ToString::to_string);
        let content_type = message.properties.content_type().as_ref();
        let returned = returned(message.properties.headers().as_ref());
        let events = unpack(content_type.map(ShortString::as_str), Bytes::from(message.data));
        for body in events {
            *received += 1;
            self.taken.push_back(Delivery {
                publisher: publisher.clone(),
                body,
                returned,
                receipt: Receipt::Tag(*received),
            });
        }
        self.messages.push_back((*received, message.delivery_tag));
        Ok(())
    }

    /// The tag up to which every event is acknowledged, if it is news.
    fn acknowledge_up_to(&mut self, last: u64) -> Option<u64> {
        self.acknowledged = last;
        let mut tag = None;
        while let Some((_, whole)) = self.messages.pop_front_if(|(number, _)| *number <= last) {
            tag = Some(whole);
        }
        tag
    }
}

impl OpenConsumer {
    async fn declare_again(&self, topology: &Topology) -> Result<(), ConsumeError> {
        let declared = timeout(CONNECT_TIMEOUT, declare(&self.channel, topology)).await;
        declared
            .map_err(|_| ConsumeError::TimedOut)?
            .map_err(ConsumeError::Unreachable)?;
        Ok(())
    }
}

impl RabbitConsumer {
    pub(in crate::transport) fn of_events(broker: Broker, prefetch: u16) -> Self {
        Self::new(broker, ConsumedQueue::Events, prefetch)
    }

    pub(in crate::transport) fn of_dead(broker: Broker) -> Self {
        Self::new(broker, ConsumedQueue::Dead, 1)
    }

    fn new(broker: Broker, queue: ConsumedQueue, prefetch: u16) -> Self {
        Self {
            broker,
            queue,
            prefetch,
            open: None,
            received: 0,
            connected: watch::Sender::new(false),
        }
    }

    pub(in crate::transport) fn watch_connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Lets go of a connection whose state is unknown.
    fn disconnect(&mut self) {
        self.open = None;
        self.connected.send_replace(false);
    }

    pub(in crate::transport) async fn receive(
        &mut self,
        count_max: usize,
        linger: Duration,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        let result = self.receive_open(count_max, linger).await;
        if result.is_err() {
            self.disconnect();
        }
        result
    }

    async fn receive_open(
        &mut self,
        count_max: usize,
        linger: Duration,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        let open = match &mut self.open {
            Some(open) => open,
            closed @ None => {
                let connecting = open_consumer(&self.broker, self.queue, self.prefetch, self.received);
                let open = timeout(CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| ConsumeError::TimedOut)?
                    .map_err(ConsumeError::Unreachable)?;
                tracing::info!(
                    broker.connection = self.broker.connection_name,
                    "consuming from the broker"
                );
                self.connected.send_replace(true);
                closed.insert(open)
            }
        };
        if open.taken.is_empty()
            && let Some(error) = open.failed.take()
        {
            return Err(error);
        }
        while open.taken.is_empty() {
            match timeout(SILENT_MAX, open.take_next(&mut self.received)).await {
                Ok(taken) => taken?,
                // What belongs to the other queue is declared with this one.
                Err(_) if self.queue == ConsumedQueue::Dead => {}
                Err(_) => open.declare_again(&self.broker.topology).await?,
            }
        }
        let deadline = Instant::now() + linger;
        while open.taken.len() < count_max {
            match timeout_at(deadline, open.take_next(&mut self.received)).await {
                Ok(Ok(())) => {}
                // What was taken is returned all the same: of a queue that is deleted it would not come again.
                Ok(Err(error)) => {
                    open.failed = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        let count = count_max.min(open.taken.len());
        Ok(open.taken.drain(..count).collect())
    }

    /// One `multiple` acknowledgement for all, of the messages that hold nothing else. It covers every event up to the last,
    /// so the numbers must have no gap, and none may come from a former connection, which the broker knows nothing of.
    pub(in crate::transport) async fn acknowledge(
        &mut self,
        receipts: &[Receipt],
    ) -> Result<(), ConsumeError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut numbers: Vec<u64> = receipts
            .iter()
            .filter_map(|receipt| match receipt {
                Receipt::Tag(number) => Some(*number).filter(|number| *number > open.before),
                Receipt::Confirm(_) => None,
            })
            .collect();
        numbers.sort_unstable();
        let Some(last) = numbers.last().copied() else {
            return Ok(());
        };
        if !numbers.iter().copied().eq(open.acknowledged + 1..=last) {
            self.disconnect();
            return Err(ConsumeError::OutOfOrder);
        }
        // The rest of a message may not be stored yet; it is acknowledged with its last event.
        let Some(tag) = open.acknowledge_up_to(last) else {
            return Ok(());
        };
        let options = BasicAckOptions { multiple: true };
        if let Err(error) = open.channel.basic_ack(tag, options).await {
            self.disconnect();
            return Err(ConsumeError::Unreachable(error));
        }
        Ok(())
    }
}

async fn open_consumer(
    broker: &Broker,
    queue: ConsumedQueue,
    prefetch: u16,
    received: u64,
) -> Result<OpenConsumer, lapin::Error> {
    let topology = &broker.topology;
    let connection = broker.connect().await?;
    let channel = connection.create_channel().await?;
    let dead = declare(&channel, topology).await?;
    let name = match queue {
        ConsumedQueue::Events => topology.collector_queue(),
        ConsumedQueue::Dead => {
            tell_of_dead(dead);
            topology.dead()
        }
    };
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let consumer = channel
        .basic_consume(
            short(&name),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok(OpenConsumer {
        _connection: connection,
        channel,
        consumer,
        before: received,
        acknowledged: received,
        failed: None,
        messages: VecDeque::new(),
        taken: VecDeque::new(),
    })
}

/// How often a message with these headers came back to its queue.
fn returned(headers: Option<&FieldTable>) -> u32 {
    match headers.and_then(|headers| headers.inner().get(DELIVERY_COUNT)) {
        Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).unwrap_or(u32::MAX),
        _ => 0,
    }
}
