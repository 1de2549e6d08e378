//! The word to all over a topic exchange: each listener has a queue that goes with its connection.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Broker, CONNECT_TIMEOUT, short};
use crate::transport::in_process::Heard;
use crate::transport::{ConsumeError, PublishError, Word};

/// How long one word may take to be handed to the broker.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(5);

/// A word that is not delivered within this is worth nothing: it has been asked for or said again by then. In milliseconds.
const EXPIRES_MS: &str = "5000";

/// Words that wait for a slow listener at most; the oldest go first.
const WAITING_MAX: i32 = 1_000;

/// Says words to all.
#[derive(Debug)]
pub(in crate::transport) struct RabbitAnnouncer {
    broker: Broker,
    word: Word,
    /// The connection is kept because dropping it closes the channel.
    open: Option<(Connection, Channel)>,
}

impl RabbitAnnouncer {
    pub(in crate::transport) const fn new(broker: Broker, word: Word) -> Self {
        Self {
            broker,
            word,
            open: None,
        }
    }

    pub(in crate::transport) async fn announce(&mut self, body: &[u8]) -> Result<(), PublishError> {
        let result = timeout(ANNOUNCE_TIMEOUT, self.publish(body))
            .await
            .map_err(|_| PublishError::TimedOut)
            .and_then(|published| published.map_err(PublishError::Unreachable));
        if result.is_err() {
            self.open = None;
        }
        result
    }

    async fn publish(&mut self, body: &[u8]) -> Result<(), lapin::Error> {
        let exchange = self.broker.topology.control_exchange();
        let user = short(self.broker.url.user());
        let channel = self.channel(&exchange).await?;
        // Neither persistent nor mandatory: who is away asks when it is back.
        let properties = BasicProperties::default()
            .with_user_id(user)
            .with_expiration(EXPIRES_MS.into());
        let options = BasicPublishOptions::default();
        channel
            .basic_publish(
                short(&exchange),
                self.word.key().into(),
                options,
                body,
                properties,
            )
            .await?;
        Ok(())
    }

    async fn channel(&mut self, exchange: &str) -> Result<Channel, lapin::Error> {
        if let Some((_, channel)) = self
            .open
            .as_ref()
            .filter(|(_, channel)| channel.status().connected())
        {
            return Ok(channel.clone());
        }
        let connection = self.broker.connect().await?;
        let channel = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(
                short(exchange),
                ExchangeKind::Topic,
                durable,
                FieldTable::default(),
            )
            .await?;
        Ok(self.open.insert((connection, channel)).1.clone())
    }
}

/// Hears words to all.
#[derive(Debug)]
pub(in crate::transport) struct RabbitListener {
    broker: Broker,
    word: Word,
    /// The connection is kept because dropping it closes the consumer.
    open: Option<(Connection, lapin::Consumer)>,
}

impl RabbitListener {
    pub(in crate::transport) const fn new(broker: Broker, word: Word) -> Self {
        Self {
            broker,
            word,
            open: None,
        }
    }

    pub(in crate::transport) async fn hear(&mut self) -> Result<Heard, ConsumeError> {
        if self.open.is_none() {
            let opening = timeout(CONNECT_TIMEOUT, open(&self.broker, self.word));
            let opened = opening.await.map_err(|_| ConsumeError::TimedOut)?;
            self.open = Some(opened.map_err(ConsumeError::Unreachable)?);
        }
        let Some((_, consumer)) = &mut self.open else {
            return Err(ConsumeError::Cancelled);
        };
        match consumer.next().await {
            Some(Ok(delivery)) => Ok(Heard {
                word: self.word,
                publisher: delivery.properties.user_id().as_ref().map(ToString::to_string),
                body: Bytes::from(delivery.data),
            }),
            Some(Err(error)) => {
                self.open = None;
                Err(ConsumeError::Unreachable(error))
            }
            None => {
                self.open = None;
                Err(ConsumeError::Cancelled)
            }
        }
    }
}

/// The exchange is auth-service's to declare; until it is there, this fails.
async fn open(broker: &Broker, word: Word) -> Result<(Connection, lapin::Consumer), lapin::Error> {
    let connection = broker.connect().await?;
    let channel = connection.create_channel().await?;
    let queue = short(
        &broker
            .topology
            .control_queue(&Uuid::new_v4().simple().to_string()),
    );
    let own = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(WAITING_MAX));
    channel.queue_declare(queue.clone(), own, arguments).await?;
    let exchange = short(&broker.topology.control_exchange());
    channel
        .queue_bind(
            queue.clone(),
            exchange,
            word.key().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let unacknowledged = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel
        .basic_consume(
            queue,
            ShortString::default(),
            unacknowledged,
            FieldTable::default(),
        )
        .await?;
    Ok((connection, consumer))
}
