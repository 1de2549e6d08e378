//! The publisher: mandatory, persistent, with pipelined confirms.

use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::{Stream, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind, Event, PublisherConfirm};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::pack::pack;
use super::{Broker, CONNECT_TIMEOUT, short};
use crate::transport::{Message, PublishError};

/// How long writing or confirming a batch may take on a connection that is not blocked.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that survives a restart of the broker (AMQP 0-9-1 `delivery-mode`).
const PERSISTENT: u8 = 2;

/// Publishes with confirms, as mandatory and persistent messages.
#[derive(Debug)]
pub struct RabbitPublisher {
    broker: Broker,
    open: Option<OpenPublisher>,
    blocked: watch::Sender<bool>,
}

#[derive(Debug)]
struct OpenPublisher {
    /// Kept because dropping it closes the channel.
    connection: Connection,
    channel: Channel,
    /// Ends with the connection.
    watching: AbortOnDropHandle<()>,
}

/// The confirms of a batch that was sent.
#[derive(Debug)]
pub struct RabbitConfirms {
    confirms: Vec<PublisherConfirm>,
    blocked: watch::Receiver<bool>,
}

impl RabbitPublisher {
    pub(in crate::transport) fn new(broker: Broker) -> Self {
        Self {
            broker,
            open: None,
            blocked: watch::Sender::new(false),
        }
    }

    pub(in crate::transport) fn watch_blocked(&self) -> watch::Receiver<bool> {
        self.blocked.subscribe()
    }

    pub(in crate::transport) fn disconnect(&mut self) {
        self.open = None;
        self.blocked.send_replace(false);
    }

    pub(in crate::transport) async fn send(
        &mut self,
        batch: &[Message],
    ) -> Result<RabbitConfirms, PublishError> {
        let channel = self.channel().await?;
        let exchange = short(&self.broker.topology.events_exchange());
        // `mandatory`: otherwise a message that no queue takes is confirmed and gone.
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        // `user-id`: the broker refuses it unless it is the connection's own, so that receivers may believe it.
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_user_id(short(self.broker.url.user()));
        let messages = pack(batch);
        let publishing = messages.iter().map(|message| {
            let key = short(message.routing_key);
            let properties = properties.clone().with_content_type(message.content_type.into());
            channel.basic_publish(exchange.clone(), key, options, &message.body, properties)
        });
        let blocked = self.blocked.subscribe();
        Ok(RabbitConfirms {
            confirms: patiently(&blocked, try_join_all(publishing)).await?,
            blocked,
        })
    }

    /// The open channel, or a new one: the broker closes a channel whose exchange is missing and keeps the connection.
    async fn channel(&mut self) -> Result<Channel, PublishError> {
        if let Some(open) = &self.open
            && open.channel.status().connected()
        {
            return Ok(open.channel.clone());
        }
        let kept = self
            .open
            .take()
            .filter(|open| open.connection.status().connected());
        let opening = async {
            let (connection, watching) = match kept {
                Some(open) => (open.connection, open.watching),
                None => self.connect().await?,
            };
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>(OpenPublisher {
                connection,
                channel,
                watching,
            })
        };
        let open = timeout(CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| PublishError::TimedOut)?
            .map_err(PublishError::Unreachable)?;
        Ok(self.open.insert(open).channel.clone())
    }

    async fn connect(&self) -> Result<(Connection, AbortOnDropHandle<()>), lapin::Error> {
        let connection = self.broker.connect().await?;
        tracing::info!(
            broker.connection = self.broker.connection_name,
            "connected to the broker"
        );
        self.blocked.send_replace(false);
        let watching = tokio::spawn(tell_blocked(connection.events_listener(), self.blocked.clone()));
        Ok((connection, AbortOnDropHandle::new(watching)))
    }
}

impl RabbitConfirms {
    pub(in crate::transport) async fn confirmed(self) -> Result<(), PublishError> {
        let confirmations = patiently(&self.blocked, try_join_all(self.confirms)).await?;
        confirmations.iter().try_for_each(confirmed)
    }
}

/// Waits for `work` in its time. A broker that has said that it is blocked is waited for: it blocks every connection that
/// publishes, so that a new one would be no better, and it tells when it goes on.
async fn patiently<T>(
    blocked: &watch::Receiver<bool>,
    work: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, PublishError> {
    tokio::pin!(work);
    loop {
        match timeout(CONFIRM_TIMEOUT, &mut work).await {
            Ok(done) => return done.map_err(publish_error),
            Err(_) if *blocked.borrow() => {}
            Err(_) => return Err(PublishError::TimedOut),
        }
    }
}

/// Follows what the broker says about itself: short of memory or disk, it blocks those who publish.
async fn tell_blocked(mut events: impl Stream<Item = Event> + Unpin, blocked: watch::Sender<bool>) {
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(reason, "the broker takes no events for now; they wait");
                blocked.send_replace(true);
            }
            Event::ConnectionUnblocked => {
                tracing::info!("the broker takes events again");
                blocked.send_replace(false);
            }
            _ => {}
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
