//! The word to all: from auth-service to every verifier at once. It may be lost, and is then asked for; nothing waits for it.

use bytes::Bytes;

use super::in_process::{Bus, Heard};
use super::rabbit::{Broker, RabbitAnnouncer, RabbitListener};
use super::{ConsumeError, PublishError};

/// Tells every verifier.
#[derive(Debug)]
pub struct Announcer(Announcing);

#[derive(Debug)]
enum Announcing {
    Rabbit(Box<RabbitAnnouncer>),
    InProcess { bus: Bus, service: String },
}

impl Announcer {
    pub(super) fn rabbit(broker: Broker) -> Self {
        Self(Announcing::Rabbit(Box::new(RabbitAnnouncer::new(broker))))
    }

    pub(super) fn in_process(bus: Bus, service: &str) -> Self {
        Self(Announcing::InProcess {
            bus,
            service: service.to_owned(),
        })
    }

    /// Tells everybody who listens now. Nobody may.
    pub async fn announce(&mut self, body: Vec<u8>) -> Result<(), PublishError> {
        match &mut self.0 {
            Announcing::Rabbit(announcer) => announcer.announce(&body).await,
            Announcing::InProcess { bus, service } => {
                bus.announce(Bytes::from(body), service);
                Ok(())
            }
        }
    }
}

/// Hears what is told to all.
#[derive(Debug)]
pub struct Listener(Listening);

#[derive(Debug)]
enum Listening {
    Rabbit(Box<RabbitListener>),
    InProcess(tokio::sync::broadcast::Receiver<Heard>),
}

impl Listener {
    pub(super) fn rabbit(broker: Broker) -> Self {
        Self(Listening::Rabbit(Box::new(RabbitListener::new(broker))))
    }

    pub(super) fn in_process(bus: &Bus) -> Self {
        Self(Listening::InProcess(bus.listen()))
    }

    /// Waits for the next word of `service`; what anybody else says is passed over. After an error the next call connects again.
    pub async fn hear(&mut self, service: &str) -> Result<Bytes, ConsumeError> {
        loop {
            let heard = match &mut self.0 {
                Listening::Rabbit(listener) => listener.hear().await?,
                Listening::InProcess(receiver) => match receiver.recv().await {
                    Ok(heard) => heard,
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                        return Err(ConsumeError::Cancelled);
                    }
                },
            };
            if heard.publisher.as_deref() == Some(service) {
                return Ok(heard.body);
            }
            tracing::warn!(
                publisher = heard.publisher,
                "a word to all came from somebody who has none to say"
            );
        }
    }
}
