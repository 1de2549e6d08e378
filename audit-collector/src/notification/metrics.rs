//! Notifications as metrics.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shared::clock::{SharedClock, UtcMicros};
use shared::database::Database;
use shared::runtime::metrics::Metrics;

use super::attempt::Next;
use super::store;

/// Named by the settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReceiver {
    receiver: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    receiver: String,
    outcome: &'static str,
}

/// What is counted at the collector that sends.
#[derive(Clone, Debug, Default)]
pub struct NotificationMetrics {
    attempts: Family<OfOutcome, Counter>,
}

impl NotificationMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "notification_attempts",
            "Tries to send a message, by what came of them",
            metrics.attempts.clone(),
        );
        metrics
    }

    pub(super) fn tried(&self, receiver: &str, next: Next) {
        let outcome = match next {
            Next::Delivered => "delivered",
            Next::Failed => "failed",
            Next::TryAt(_) => "put_off",
        };
        let receiver = receiver.to_owned();
        self.attempts
            .get_or_create(&OfOutcome { receiver, outcome })
            .inc();
    }
}

/// Registers what the database says, which is the same at every collector.
pub(crate) fn watch(metrics: &Metrics, prefix: &str, (database, clock): (&Database, &SharedClock)) {
    let waiting = Family::<OfReceiver, Gauge>::default();
    let oldest = Family::<OfReceiver, Gauge<f64, AtomicU64>>::default();
    metrics.register(prefix, |registry| {
        registry.register(
            "notifications_waiting",
            "Messages about alerts that wait to be sent",
            waiting.clone(),
        );
        registry.register(
            "notifications_oldest_age_seconds",
            "Age of the oldest of them",
            oldest.clone(),
        );
    });
    let (database, clock) = (database.clone(), clock.clone());
    metrics.probe(move || {
        let (waiting, oldest) = (waiting.clone(), oldest.clone());
        let (database, clock) = (database.clone(), clock.clone());
        async move {
            let Ok(rows) = store::waiting(&database).await else {
                return;
            };
            waiting.clear();
            oldest.clear();
            let now = clock.now();
            for (receiver, count, made_at) in rows {
                let age = now.since(UtcMicros::from_micros(made_at)).as_secs_f64();
                let label = OfReceiver { receiver };
                waiting.get_or_create(&label).set(count);
                oldest.get_or_create(&label).set(age);
            }
        }
    });
}
