//! The seam between producers of events and the collector: RabbitMQ in production, a channel in one process.
//!
//! Delivery is at least once on both sides of the seam: a message is the publisher's until it is confirmed, and the
//! transport's until it is acknowledged.

mod again;
mod control;
mod in_process;
mod rabbit;
mod window;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

pub use again::{Asked, Lacking, LackingStretch, STRETCHES_MAX};
pub use control::{Announcer, Listener, Word};
pub use in_process::Bus;
pub use rabbit::{Broker, BrokerUrl, InvalidBrokerUrl, Part, PartState};
pub use window::{BATCH_MAX, Numbered, Oldest, Window};

use crate::runtime::common::{BROKER_URL, TOPOLOGY_PREFIX};
use crate::runtime::settings::Reader;
use crate::topology::Topology;
use in_process::{InProcessConfirms, InProcessConsumer, InProcessPublisher};
use rabbit::{RabbitConfirms, RabbitConsumer, RabbitPublisher};

/// How events travel.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Over RabbitMQ.
    Rabbit(Broker),
    /// Within this process.
    InProcess(Bus),
}

impl Transport {
    /// A publisher that speaks as `service`. Nothing is connected before the first message.
    pub fn publisher(&self, service: &str) -> Publisher {
        match self {
            Self::Rabbit(broker) => Publisher::Rabbit(Box::new(RabbitPublisher::new(broker.clone()))),
            Self::InProcess(bus) => Publisher::InProcess(InProcessPublisher::new(bus.clone(), service)),
        }
    }

    /// What says `word` to all who listen, as the service that may. Nothing is connected before it is said.
    pub fn announcer(&self, word: Word) -> Announcer {
        match self {
            Self::Rabbit(broker) => Announcer::rabbit(broker.clone(), word),
            Self::InProcess(bus) => Announcer::in_process(bus.clone(), word),
        }
    }

    /// What hears `word`. Nothing is connected before somebody listens.
    pub fn listener(&self, word: Word) -> Listener {
        match self {
            Self::Rabbit(broker) => Listener::rabbit(broker.clone(), word),
            Self::InProcess(bus) => Listener::in_process(bus, word),
        }
    }

    /// What is heard of what the log lacks, from now on.
    pub fn asked(&self) -> Asked {
        Asked::listen(self.listener(Word::Lacking))
    }

    /// A consumer that holds at most `prefetch` unacknowledged messages of the broker, each of up to
    /// [`crate::event::batch::EVENTS_MAX`] events. Nothing is connected before the first receive.
    pub fn consumer(&self, prefetch: u16) -> Consumer {
        match self {
            Self::Rabbit(broker) => {
                Consumer::Rabbit(Box::new(RabbitConsumer::of_events(broker.clone(), prefetch)))
            }
            Self::InProcess(bus) => Consumer::InProcess(InProcessConsumer::new(bus.clone())),
        }
    }

    /// A consumer of the messages that the broker gave up because their consumers died with them again and again. It holds one
    /// at a time. `None` within one process, where nothing is given up.
    pub fn consumer_of_dead(&self) -> Option<Consumer> {
        match self {
            Self::Rabbit(broker) => Some(Consumer::Rabbit(Box::new(RabbitConsumer::of_dead(
                broker.clone(),
            )))),
            Self::InProcess(_) => None,
        }
    }
}

/// One event on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The key on the topic exchange.
    pub routing_key: String,
    /// The event as [`crate::event::wire`] writes it.
    pub body: Bytes,
}

/// Why a batch was not confirmed as a whole. Each may pass, so the batch is to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker cannot be reached, or went away.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(#[source] lapin::Error),
    /// The broker took longer than it may.
    #[error("the broker did not confirm in time")]
    TimedOut,
    /// The broker refused a message.
    #[error("the broker refused a message")]
    Refused,
    /// No queue is bound to the exchange, so the message came back.
    #[error("no queue takes the messages yet; is a collector running?")]
    Unroutable,
    /// The consumer let go of a message without storing it.
    #[error("the collector did not confirm a message")]
    Unconfirmed,
}

impl PublishError {
    /// Whether the connection is as it was: an unroutable message comes back and nothing else happens. After anything else
    /// its state is unknown.
    pub(crate) const fn leaves_the_connection(&self) -> bool {
        matches!(self, Self::Unroutable)
    }
}

/// Sends events until they are confirmed.
#[derive(Debug)]
pub enum Publisher {
    /// Over RabbitMQ.
    Rabbit(Box<RabbitPublisher>),
    /// Within this process.
    InProcess(InProcessPublisher),
}

impl Publisher {
    /// Publishes a batch; `Ok` means that every message of it is confirmed and routed.
    ///
    /// After an error some may have arrived, so that sending the batch again makes duplicates, which the collector
    /// removes by id.
    pub async fn publish(&mut self, batch: &[Message]) -> Result<(), PublishError> {
        let result = match self.send(batch).await {
            Ok(confirms) => confirms.confirmed().await,
            Err(error) => Err(error),
        };
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    /// Sends a batch without waiting for its confirms, so that others can follow. They are confirmed in any order.
    ///
    /// What has gone wrong with it is to be [noted](Self::note).
    pub async fn send(&mut self, batch: &[Message]) -> Result<Confirms, PublishError> {
        match self {
            Self::Rabbit(publisher) => publisher.send(batch).await.map(Confirms::Rabbit),
            Self::InProcess(publisher) => publisher.send(batch).await.map(Confirms::InProcess),
        }
    }

    /// Lets go of the connection unless `error` leaves it as it was. What was sent over it and is not confirmed is to be
    /// sent again.
    pub fn note(&mut self, error: &PublishError) {
        if let Self::Rabbit(publisher) = self
            && !error.leaves_the_connection()
        {
            publisher.disconnect();
        }
    }

    /// Tells whether the broker is blocked, which it is while it is short of memory or disk.
    pub fn watch_blocked(&self) -> watch::Receiver<bool> {
        match self {
            Self::Rabbit(publisher) => publisher.watch_blocked(),
            Self::InProcess(_) => watch::Sender::new(false).subscribe(),
        }
    }
}

/// The confirms of a batch that was sent. Dropped, it is not known whether it has arrived.
#[derive(Debug)]
pub enum Confirms {
    /// Of RabbitMQ.
    Rabbit(RabbitConfirms),
    /// Of the consumer in this process.
    InProcess(InProcessConfirms),
}

impl Confirms {
    /// Waits until every message of the batch is confirmed and routed.
    pub async fn confirmed(self) -> Result<(), PublishError> {
        match self {
            Self::Rabbit(confirms) => confirms.confirmed().await,
            Self::InProcess(confirms) => confirms.confirmed().await,
        }
    }
}

/// One event on its way in.
#[derive(Debug)]
pub struct Delivery {
    /// The bytes as they came.
    pub body: Bytes,
    /// The user that the transport vouches for as the sender.
    pub publisher: Option<String>,
    /// How often it came before from this queue without being acknowledged.
    pub returned: u32,
    /// What acknowledges it. Dropped, the message comes again.
    pub receipt: Receipt,
}

/// What acknowledges a delivery.
#[derive(Debug)]
pub enum Receipt {
    /// The number of the event at its consumer, over all its connections.
    Tag(u64),
    /// The publisher that waits in the same process.
    Confirm(tokio::sync::oneshot::Sender<()>),
}

/// Why nothing can be received at the moment.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The broker cannot be reached, went away, or refused.
    #[error("the broker cannot be consumed from: {0}")]
    Unreachable(#[source] lapin::Error),
    /// The broker took longer than it may.
    #[error("the broker did not answer in time")]
    TimedOut,
    /// The broker ended the consumer, for instance because the queue was deleted.
    #[error("the broker ended the consumer")]
    Cancelled,
    /// Earlier deliveries were not acknowledged, which would have been with these; all of them come again.
    #[error("deliveries were let go of without an acknowledgement")]
    OutOfOrder,
}

/// Receives events until they are acknowledged.
#[derive(Debug)]
pub enum Consumer {
    /// From RabbitMQ.
    Rabbit(Box<RabbitConsumer>),
    /// Within this process.
    InProcess(InProcessConsumer),
}

impl Consumer {
    /// Waits for a delivery and takes those that follow within `linger`, at most `count_max`.
    ///
    /// After an error the next call connects again; unacknowledged deliveries come again. Dropping the future loses
    /// nothing: what it had taken is returned by the next call or comes again.
    pub async fn receive(
        &mut self,
        count_max: usize,
        linger: Duration,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        match self {
            Self::Rabbit(consumer) => consumer.receive(count_max, linger).await,
            Self::InProcess(consumer) => Ok(consumer.receive(count_max, linger).await),
        }
    }

    /// Acknowledges deliveries, which must be all that were received up to the last of them; otherwise none is
    /// acknowledged and all come again. What came over a connection that is gone comes again anyway.
    pub async fn acknowledge(&mut self, receipts: Vec<Receipt>) -> Result<(), ConsumeError> {
        match self {
            Self::Rabbit(consumer) => consumer.acknowledge(&receipts).await,
            Self::InProcess(_) => {
                in_process::acknowledge(receipts);
                Ok(())
            }
        }
    }

    /// Tells whether the transport is connected, also while a receive waits.
    pub fn watch_connected(&self) -> watch::Receiver<bool> {
        match self {
            Self::Rabbit(consumer) => consumer.watch_connected(),
            Self::InProcess(_) => watch::Sender::new(true).subscribe(),
        }
    }
}

/// Reads the settings of the broker that `service` talks to.
///
/// Its user must be named as the service: the broker vouches for that name, and the collector believes no other.
pub fn read_broker(reader: &mut Reader, service: &str) -> Option<Broker> {
    let (url, topology) = (
        reader.value::<BrokerUrl>(&BROKER_URL),
        reader.value::<Topology>(&TOPOLOGY_PREFIX),
    );
    let (url, topology) = (url?, topology?);
    if url.user() != service {
        reader.problem(format!(
            "the broker's user must be named {service}, since the collector believes no other"
        ));
        return None;
    }
    Some(Broker {
        url,
        topology,
        connection_name: service.to_owned(),
    })
}
