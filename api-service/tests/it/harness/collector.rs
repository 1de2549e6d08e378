//! A collector that keeps events in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::event::{Event, wire};
use shared::transport::{Bus, Transport};

use super::eventually;

/// Every event that came, in order.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Collector {
    /// Takes what comes over `bus`, if `collects`; otherwise nothing is ever confirmed.
    pub(crate) fn start(bus: &Bus, collects: bool) -> Self {
        let collector = Self::default();
        if collects {
            collector.collect(bus);
        }
        collector
    }

    pub(crate) fn collect(&self, bus: &Bus) {
        let mut consumer = Transport::InProcess(bus.clone()).consumer(100);
        let events = Arc::clone(&self.events);
        tokio::spawn(async move {
            loop {
                let deliveries = consumer.receive(100, Duration::ZERO).await.unwrap();
                for delivery in &deliveries {
                    let event = wire::decode(&delivery.body).unwrap();
                    assert_eq!(delivery.publisher.as_deref(), Some(event.source.service.as_str()));
                    events.lock().unwrap().push(event);
                }
                consumer
                    .acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect())
                    .await
                    .unwrap();
            }
        });
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// The events that hold, now.
    pub(crate) fn matching(&self, holds: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.all().into_iter().filter(|event| holds(event)).collect()
    }

    /// Waits for the event of that request and action, of which there must be one.
    pub(crate) async fn one(&self, request_id: &str, action: &str) -> Event {
        let holds = |event: &Event| {
            event.facts.action == action
                && event
                    .facts
                    .trace
                    .as_ref()
                    .is_some_and(|trace| trace.request_id == request_id)
        };
        eventually(&format!("an event {action} of {request_id}"), async || {
            !self.matching(holds).is_empty()
        })
        .await;
        let [event] = self.matching(holds).try_into().unwrap();
        event
    }

    /// Waits for an event that holds.
    pub(crate) async fn first(&self, what: &str, holds: impl Fn(&Event) -> bool) -> Event {
        eventually(what, async || !self.matching(&holds).is_empty()).await;
        self.matching(&holds).remove(0)
    }
}
