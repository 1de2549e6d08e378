//! The detection as metrics.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::engine::Outcome;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRule {
    rule: String,
}

/// What is counted of the detection, at the collector that leads it.
#[derive(Clone, Debug)]
pub struct DetectionMetrics {
    leading: Gauge,
    lag_events: Gauge,
    lag_seconds: Gauge<f64, AtomicU64>,
    step: Histogram,
    cost: Family<OfRule, Counter<f64, AtomicU64>>,
    raised: Family<OfRule, Counter>,
    forgotten: Family<OfRule, Counter>,
}

impl DetectionMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            leading: Gauge::default(),
            lag_events: Gauge::default(),
            lag_seconds: Gauge::default(),
            // From a millisecond to half a minute.
            step: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            cost: Family::default(),
            raised: Family::default(),
            forgotten: Family::default(),
        };
        registry.register(
            "detection_leading",
            "Whether this collector runs the rules",
            metrics.leading.clone(),
        );
        registry.register(
            "detection_lag_events",
            "Events that the rules have not seen",
            metrics.lag_events.clone(),
        );
        registry.register(
            "detection_lag_seconds",
            "Time from storing an event until the rules had seen it, of the last step",
            metrics.lag_seconds.clone(),
        );
        registry.register(
            "detection_step_duration_seconds",
            "Time of a step of all rules",
            metrics.step.clone(),
        );
        registry.register(
            "detection_rule_seconds",
            "Time that a rule has taken",
            metrics.cost.clone(),
        );
        registry.register(
            "detection_alerts_raised",
            "Alerts found or grown",
            metrics.raised.clone(),
        );
        registry.register(
            "detection_forgotten",
            "Events and groups forgotten because there were too many",
            metrics.forgotten.clone(),
        );
        metrics
    }

    pub(super) fn lead(&self, leading: bool) {
        self.leading.set(i64::from(leading));
    }

    pub(super) fn lag(&self, events: u64, time: Duration) {
        self.lag_events.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.lag_seconds.set(time.as_secs_f64());
    }

    pub(super) fn stepped(&self, outcome: &Outcome, took: Duration) {
        self.step.observe(took.as_secs_f64());
        let of = |rule: &str| OfRule {
            rule: rule.to_owned(),
        };
        for finding in &outcome.raised {
            self.raised.get_or_create(&of(&finding.rule.id)).inc();
        }
        for (rule, cost) in &outcome.costs {
            self.cost.get_or_create(&of(rule)).inc_by(cost.as_secs_f64());
        }
        for (rule, count) in &outcome.forgotten {
            tracing::warn!(%rule, count, "a rule has more to follow than it may; the oldest is forgotten");
            self.forgotten.get_or_create(&of(rule)).inc_by(*count);
        }
    }
}
