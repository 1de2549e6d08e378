//! Forwarding as metrics: how far receivers are behind, and since when they take nothing.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::clock::{SharedClock, UtcMicros};
use shared::runtime::metrics::Metrics;

use super::{Receiver, store};
use crate::event_log::EventLog;

/// `syslog` or `webhook`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReceiver {
    receiver: String,
}

/// Registers what the database says of the receivers of the settings, which is the same at every collector.
pub(crate) fn watch(
    metrics: &Metrics,
    prefix: &str,
    (log, receivers, clock): (&EventLog, &[Receiver], &SharedClock),
) {
    let lag = Family::<OfReceiver, Gauge>::default();
    let failing = Family::<OfReceiver, Gauge<f64, AtomicU64>>::default();
    metrics.register(prefix, |registry| {
        registry.register(
            "forwarding_lag_events",
            "Events in the log that a receiver has not been told of",
            lag.clone(),
        );
        registry.register(
            "forwarding_failing_seconds",
            "For how long a receiver has taken nothing; 0 if it takes what it is told",
            failing.clone(),
        );
    });
    let names: Vec<_> = receivers.iter().map(Receiver::name).collect();
    let (log, clock) = (log.clone(), clock.clone());
    metrics.probe(move || {
        let (lag, failing, names) = (lag.clone(), failing.clone(), names.clone());
        let (log, clock) = (log.clone(), clock.clone());
        async move {
            let (Ok(standings), Ok(size)) = (store::all(log.database()).await, log.size().await) else {
                return;
            };
            let now = clock.now();
            for standing in standings {
                if !names.contains(&standing.name.as_str()) {
                    continue;
                }
                let since = standing.failing_since.map(UtcMicros::from_micros);
                let label = OfReceiver {
                    receiver: standing.name,
                };
                lag.get_or_create(&label)
                    .set(size.cast_signed() - standing.position);
                failing
                    .get_or_create(&label)
                    .set(since.map_or(0.0, |since| now.since(since).as_secs_f64()));
            }
        }
    });
}
