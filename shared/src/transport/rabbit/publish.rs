//! The publisher: mandatory, persistent, with pipelined confirms.

use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use tokio::time::timeout;

use super::{Broker, CONNECT_TIMEOUT, short};
use crate::event::wire::CONTENT_TYPE;
use crate::transport::{Message, PublishError};

/// How long the confirms of a batch may take: a broker under a memory or disk alarm gives none at all.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that survives a restart of the broker (AMQP 0-9-1 `delivery-mode`).
const PERSISTENT: u8 = 2;

/// Publishes with confirms, as mandatory and persistent messages.
#[derive(Debug)]
pub struct RabbitPublisher {
    broker: Broker,
    /// The connection is kept because dropping it closes the channel.
    open: Option<(Connection, Channel)>,
}

impl RabbitPublisher {
    pub(in crate::transport) const fn new(broker: Broker) -> Self {
        Self { broker, open: None }
    }

    pub(in crate::transport) async fn publish(&mut self, batch: &[Message]) -> Result<(), PublishError> {
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

    /// The open channel, or a new one: the broker closes a channel whose exchange is missing and keeps the connection.
    async fn channel(&mut self) -> Result<Channel, PublishError> {
        if let Some((_, channel)) = self
            .open
            .as_ref()
            .filter(|(_, channel)| channel.status().connected())
        {
            return Ok(channel.clone());
        }
        let kept = self.open.take().map(|(connection, _)| connection);
        let opening = async {
            let connection = match kept.filter(|connection| connection.status().connected()) {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let open = timeout(CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| PublishError::TimedOut)?
            .map_err(PublishError::Unreachable)?;
        Ok(self.open.insert(open).1.clone())
    }

    async fn connect(&self) -> Result<Connection, lapin::Error> {
        let connection = self.broker.connect().await?;
        tracing::info!(
            broker.connection = self.broker.connection_name,
            "connected to the broker"
        );
        Ok(connection)
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
