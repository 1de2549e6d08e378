//! The transport of a single process: a bounded channel whose confirms come from the consumer itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::{Delivery, Message, PublishError, Receipt, Word};

/// Messages in flight at most; a publisher that is ahead of the consumer waits.
const IN_FLIGHT_MAX: usize = 1024;

/// Words to all that a slow listener may be behind; it asks for what it has missed.
const ANNOUNCED_MAX: usize = 64;

/// The channel that publishers and the consumer of one process share.
#[derive(Clone, Debug)]
pub struct Bus {
    sender: mpsc::Sender<InFlight>,
    receiver: Arc<Mutex<mpsc::Receiver<InFlight>>>,
    control: broadcast::Sender<Heard>,
}

/// A word to all and who said it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) word: Word,
    pub(super) body: Bytes,
    pub(super) publisher: Option<String>,
}

#[derive(Debug)]
struct InFlight {
    body: Bytes,
    service: String,
    confirm: oneshot::Sender<()>,
}

impl Bus {
    /// An empty bus.
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel(IN_FLIGHT_MAX);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
            control: broadcast::Sender::new(ANNOUNCED_MAX),
        }
    }

    /// Tells everybody who listens.
    pub(super) fn announce(&self, body: Bytes, word: Word) {
        let heard = Heard {
            word,
            body,
            publisher: Some(word.speaker().to_owned()),
        };
        if self.control.send(heard).is_err() {
            tracing::trace!("nobody listens");
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Heard> {
        self.control.subscribe()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

/// Publishes within the process.
#[derive(Debug)]
pub struct InProcessPublisher {
    bus: Bus,
    service: String,
}

impl InProcessPublisher {
    pub(super) fn new(bus: Bus, service: &str) -> Self {
        Self {
            bus,
            service: service.to_owned(),
        }
    }

    /// Waits while the consumer is behind.
    pub(super) async fn send(&self, batch: &[Message]) -> Result<InProcessConfirms, PublishError> {
        let mut confirms = Vec::with_capacity(batch.len());
        for message in batch {
            let (confirm, confirmed) = oneshot::channel();
            let in_flight = InFlight {
                body: message.body.clone(),
                service: self.service.clone(),
                confirm,
            };
            self.bus
                .sender
                .send(in_flight)
                .await
                .map_err(|_| PublishError::Unconfirmed)?;
            confirms.push(confirmed);
        }
        Ok(InProcessConfirms(confirms))
    }
}

/// The confirms of a batch.
#[derive(Debug)]
pub struct InProcessConfirms(Vec<oneshot::Receiver<()>>);

impl InProcessConfirms {
    pub(super) async fn confirmed(self) -> Result<(), PublishError> {
        for confirmed in self.0 {
            confirmed.await.map_err(|_| PublishError::Unconfirmed)?;
        }
        Ok(())
    }
}

/// Consumes within the process.
#[derive(Debug)]
pub struct InProcessConsumer {
    bus: Bus,
    /// What a receive has taken so far; kept here so that dropping its future loses nothing.
    taken: Vec<Delivery>,
}

impl InProcessConsumer {
    pub(super) const fn new(bus: Bus) -> Self {
        Self {
            bus,
            taken: Vec::new(),
        }
    }

    pub(super) async fn receive(&mut self, count_max: usize, linger: Duration) -> Vec<Delivery> {
        let mut receiver = self.bus.receiver.lock().await;
        let mut deadline = (!self.taken.is_empty()).then(|| Instant::now() + linger);
        while self.taken.len() < count_max {
            let next = match deadline {
                None => receiver.recv().await,
                Some(deadline) => timeout_at(deadline, receiver.recv()).await.ok().flatten(),
            };
            let Some(in_flight) = next else { break };
            deadline.get_or_insert_with(|| Instant::now() + linger);
            self.taken.push(Delivery {
                body: in_flight.body,
                publisher: Some(in_flight.service),
                returned: 0,
                receipt: Receipt::Confirm(in_flight.confirm),
            });
        }
        let count = count_max.min(self.taken.len());
        self.taken.drain(..count).collect()
    }
}

pub(super) fn acknowledge(receipts: Vec<Receipt>) {
    for receipt in receipts {
        if let Receipt::Confirm(confirm) = receipt
            && confirm.send(()).is_err()
        {
            tracing::debug!("a publisher had stopped waiting; it sends again, and the duplicate is removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Message {
        Message {
            routing_key: "access.api_request.granted".into(),
            body: Bytes::from_static(text.as_bytes()),
        }
    }

    #[tokio::test]
    async fn a_batch_is_confirmed_when_all_of_it_is_acknowledged() {
        let bus = Bus::new();
        let publisher = InProcessPublisher::new(bus.clone(), "api-service");
        let mut consumer = InProcessConsumer::new(bus);
        let publishing = tokio::spawn(async move {
            publisher
                .send(&[message("a"), message("b")])
                .await?
                .confirmed()
                .await
        });

        let deliveries = consumer.receive(2, Duration::from_secs(5)).await;
        let bodies: Vec<_> = deliveries.iter().map(|delivery| delivery.body.clone()).collect();
        assert!(!publishing.is_finished());
        acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect());

        assert_eq!(bodies, ["a", "b"]);
        publishing.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_dropped_delivery_fails_its_batch() {
        let bus = Bus::new();
        let publisher = InProcessPublisher::new(bus.clone(), "api-service");
        let mut consumer = InProcessConsumer::new(bus);
        let publishing =
            tokio::spawn(async move { publisher.send(&[message("a")]).await?.confirmed().await });

        drop(consumer.receive(1, Duration::ZERO).await);

        assert!(matches!(
            publishing.await.unwrap(),
            Err(PublishError::Unconfirmed)
        ));
    }

    #[tokio::test]
    async fn a_batch_ends_when_nothing_follows() {
        let bus = Bus::new();
        let publisher = InProcessPublisher::new(bus.clone(), "api-service");
        let mut consumer = InProcessConsumer::new(bus);
        tokio::spawn(async move { publisher.send(&[message("a")]).await?.confirmed().await });

        let deliveries = consumer.receive(100, Duration::from_millis(1)).await;

        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].publisher.as_deref(), Some("api-service"));
    }
}
