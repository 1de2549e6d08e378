//! The transport over RabbitMQ: topology, a publisher with pipelined confirms, a consumer with batched acknowledgement.
//!
//! No automatic recovery of the library is used: a failed connection is dropped, and the next call makes a new one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::{ConsumeError, Delivery, Message, PublishError, Receipt};
use crate::event::wire::CONTENT_TYPE;
use crate::topology::{DELIVERY_LIMIT, Topology};

/// Without heartbeats a dead peer may take eleven minutes to notice; RabbitMQ advises 5 to 20 seconds.
const HEARTBEAT_SECONDS: u16 = 10;

/// How long connecting and declaring may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the confirms of a batch may take: a broker under a memory or disk alarm gives none at all.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that survives a restart of the broker (AMQP 0-9-1 `delivery-mode`).
const PERSISTENT: u8 = 2;

/// The address of a broker with its credentials. Never shown.
#[derive(Clone)]
pub struct BrokerUrl {
    url: SecretString,
    user: String,
}

/// The address is not of the form `amqp[s]://user:password@host[:port]/vhost`. Does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form amqp://user:password@host:port/vhost (amqps:// for TLS, %2f for the vhost `/`)")]
pub struct InvalidBrokerUrl;

impl FromStr for BrokerUrl {
    type Err = InvalidBrokerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let uri: AMQPUri = text.parse().map_err(|_| InvalidBrokerUrl)?;
        Ok(Self {
            url: text.to_owned().into(),
            user: uri.authority.userinfo.username,
        })
    }
}

impl BrokerUrl {
    /// The user name in it.
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BrokerUrl(user {})", self.user)
    }
}

/// A broker and the names on it.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is and who we are there.
    pub url: BrokerUrl,
    /// The names on it.
    pub topology: Topology,
    /// What the connection is called in the broker's own lists.
    pub connection_name: String,
}

impl Broker {
    async fn connect(&self) -> Result<(Connection, Channel), lapin::Error> {
        let invalid = |_| lapin::Error::from(std::io::Error::from(std::io::ErrorKind::InvalidInput));
        let mut uri: AMQPUri = self.url.url.expose_secret().parse().map_err(invalid)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let properties =
            ConnectionProperties::default().with_connection_name(self.connection_name.as_str().into());
        let connection = Connection::connect_uri(uri, properties).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }
}

/// Publishes with confirms, as mandatory and persistent messages.
#[derive(Debug)]
pub struct RabbitPublisher {
    broker: Broker,
    /// The connection is kept because dropping it closes the channel.
    open: Option<(Connection, Channel)>,
}

impl RabbitPublisher {
    pub(super) const fn new(broker: Broker) -> Self {
        Self { broker, open: None }
    }

    pub(super) async fn publish(&mut self, batch: &[Message]) -> Result<(), PublishError> {
        let result = self.publish_confirmed(batch).await;
        // An unroutable message leaves the channel as it was, or closed; after anything else its state is unknown.
        if !matches!(result, Ok(()) | Err(PublishError::Unroutable)) {
            self.open = None;
        }
        result
    }

    async fn publish_confirmed(&mut self, batch: &[Message]) -> Result<(), PublishError> {
        let user = self.broker.url.user().to_owned();
        let exchange = self.broker.topology.events_exchange();
        let channel = self.channel().await?;
        let confirming = async {
            let mut confirms = Vec::with_capacity(batch.len());
            for message in batch {
                // `mandatory`: otherwise a message that no queue takes is confirmed and gone.
                let options = BasicPublishOptions {
                    mandatory: true,
                    ..BasicPublishOptions::default()
                };
                // `user-id`: the broker refuses it unless it is the connection's own, so that receivers may believe it.
                let properties = BasicProperties::default()
                    .with_delivery_mode(PERSISTENT)
                    .with_content_type(CONTENT_TYPE.into())
                    .with_user_id(short(&user));
                let key = short(&message.routing_key);
                confirms.push(
                    channel
                        .basic_publish(short(&exchange), key, options, &message.body, properties)
                        .await?,
                );
            }
            try_join_all(confirms).await
        };
        let confirmations = timeout(CONFIRM_TIMEOUT, confirming)
            .await
            .map_err(|_| PublishError::TimedOut)?
            .map_err(publish_error)?;
        confirmations.iter().try_for_each(confirmed)
    }

    async fn channel(&mut self) -> Result<&Channel, PublishError> {
        if self
            .open
            .as_ref()
            .is_none_or(|(_, channel)| !channel.status().connected())
        {
            self.open = None;
            let connecting = async {
                let (connection, channel) = self.broker.connect().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                Ok::<_, lapin::Error>((connection, channel))
            };
            let open = timeout(CONNECT_TIMEOUT, connecting)
                .await
                .map_err(|_| PublishError::TimedOut)?
                .map_err(PublishError::Unreachable)?;
            tracing::info!(
                broker.connection = self.broker.connection_name,
                "connected to the broker"
            );
            return Ok(&self.open.insert(open).1);
        }
        self.open
            .as_ref()
            .map(|(_, channel)| channel)
            .ok_or(PublishError::TimedOut)
    }
}

/// The exchange is the collector's to declare: as long as it is missing, nothing takes the messages.
fn publish_error(error: lapin::Error) -> PublishError {
    match error.kind() {
        ErrorKind::ProtocolError(refused)
            if *refused.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) =>
        {
            PublishError::Unroutable
        }
        _ => PublishError::Unreachable(error),
    }
}

/// What a confirmation means: an `Ack` that carries a returned message is no success, since no queue took it.
fn confirmed(confirmation: &Confirmation) -> Result<(), PublishError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(PublishError::Unroutable),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(PublishError::Refused),
    }
}

/// Consumes from the collector's queue, which it declares with all that belongs to it.
#[derive(Debug)]
pub struct RabbitConsumer {
    broker: Broker,
    prefetch: u16,
    open: Option<OpenConsumer>,
    /// The number of the last delivery, over all connections.
    received: u64,
    connected: watch::Sender<bool>,
}

#[derive(Debug)]
struct OpenConsumer {
    /// Kept because dropping it closes the channel.
    _connection: Connection,
    channel: Channel,
    consumer: lapin::Consumer,
    /// How many deliveries came before this connection: the broker numbers from 1 on each.
    before: u64,
    /// The number of the last delivery that was acknowledged, or that came before.
    acknowledged: u64,
    /// What a receive has taken so far; kept here so that dropping its future loses nothing.
    taken: Vec<Delivery>,
}

impl OpenConsumer {
    /// Takes the next delivery.
    async fn take_next(&mut self, received: &mut u64) -> Result<(), ConsumeError> {
        let next = self.consumer.next().await.ok_or(ConsumeError::Cancelled)?;
        let delivery = next.map_err(ConsumeError::Unreachable)?;
        *received = self.before + delivery.delivery_tag;
        self.taken.push(Delivery {
            publisher: delivery.properties.user_id().as_ref().map(ToString::to_string),
            body: Bytes::from(delivery.data),
            receipt: Receipt::Tag(*received),
        });
        Ok(())
    }
}

impl RabbitConsumer {
    pub(super) fn new(broker: Broker, prefetch: u16) -> Self {
        Self {
            broker,
            prefetch,
            open: None,
            received: 0,
            connected: watch::Sender::new(false),
        }
    }

    pub(super) fn watch_connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Lets go of a connection whose state is unknown.
    fn disconnect(&mut self) {
        self.open = None;
        self.connected.send_replace(false);
    }

    pub(super) async fn receive(
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
            None => {
                let connecting = open_consumer(&self.broker, self.prefetch, self.received);
                let open = timeout(CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| ConsumeError::TimedOut)?
                    .map_err(ConsumeError::Unreachable)?;
                tracing::info!(
                    broker.connection = self.broker.connection_name,
                    "consuming from the broker"
                );
                self.connected.send_replace(true);
                self.open.insert(open)
            }
        };
        if open.taken.is_empty() {
            open.take_next(&mut self.received).await?;
        }
        let deadline = Instant::now() + linger;
        while open.taken.len() < count_max {
            match timeout_at(deadline, open.take_next(&mut self.received)).await {
                Ok(taken) => taken?,
                Err(_) => break,
            }
        }
        let count = count_max.min(open.taken.len());
        Ok(open.taken.drain(..count).collect())
    }

    /// One `multiple` acknowledgement for all. It covers every delivery up to the last, so the numbers must have no gap,
    /// and none may come from a former connection, whose tags mean other deliveries on this one.
    pub(super) async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), ConsumeError> {
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
        let acknowledged = open
            .channel
            .basic_ack(last - open.before, BasicAckOptions { multiple: true })
            .await;
        match acknowledged {
            Ok(()) => {
                open.acknowledged = last;
                Ok(())
            }
            Err(error) => {
                self.disconnect();
                Err(ConsumeError::Unreachable(error))
            }
        }
    }
}

async fn open_consumer(broker: &Broker, prefetch: u16, received: u64) -> Result<OpenConsumer, lapin::Error> {
    let (connection, channel) = broker.connect().await?;
    declare(&channel, &broker.topology).await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let queue = short(&broker.topology.collector_queue());
    let consumer = channel
        .basic_consume(
            queue,
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
        taken: Vec::new(),
    })
}

/// Declares everything that exists on the broker. Repeating it changes nothing.
async fn declare(channel: &Channel, topology: &Topology) -> Result<(), lapin::Error> {
    let durable_exchange = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let durable_queue = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let (events, dead) = (short(&topology.events_exchange()), short(&topology.dead()));
    let queue = short(&topology.collector_queue());
    for (name, kind) in [(&events, ExchangeKind::Topic), (&dead, ExchangeKind::Fanout)] {
        channel
            .exchange_declare(name.clone(), kind, durable_exchange, FieldTable::default())
            .await?;
    }
    channel
        .queue_declare(dead.clone(), durable_queue, quorum_queue())
        .await?;
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
    channel
        .queue_declare(queue.clone(), durable_queue, arguments)
        .await?;
    let bind = QueueBindOptions::default();
    channel
        .queue_bind(dead.clone(), dead, "".into(), bind, FieldTable::default())
        .await?;
    channel
        .queue_bind(queue, events, "#".into(), bind, FieldTable::default())
        .await
}

fn quorum_queue() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

/// AMQP's short strings hold 255 bytes; every name here is bounded far below, and a longer one would be no name of ours.
fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_user_and_never_its_password() {
        let url: BrokerUrl = "amqp://api-service:hunter2@127.0.0.1:5672/%2f".parse().unwrap();

        assert_eq!(url.user(), "api-service");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn an_address_of_another_kind_is_refused_without_quoting_it() {
        let error = "http://user:hunter2@host".parse::<BrokerUrl>().unwrap_err();

        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn only_an_ack_without_a_returned_message_is_a_confirm() {
        assert!(confirmed(&Confirmation::Ack(None)).is_ok());
        assert!(matches!(
            confirmed(&Confirmation::Nack(None)),
            Err(PublishError::Refused)
        ));
        assert!(matches!(
            confirmed(&Confirmation::NotRequested),
            Err(PublishError::Refused)
        ));
    }
}
