//! Responses as metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::kept::{Kept, State};

/// The upper ends of the classes of containment, in seconds.
const CONTAINED: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStep {
    action: &'static str,
    outcome: &'static str,
}

/// What is counted at the collector that carries orders out. Clones share it.
#[derive(Clone, Debug)]
pub struct ResponseMetrics {
    orders: Family<OfStep, Counter>,
    containment: Histogram,
}

impl ResponseMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            orders: Family::default(),
            containment: Histogram::new(CONTAINED),
        };
        registry.register(
            "responses",
            "Orders about alerts, by what became of them",
            metrics.orders.clone(),
        );
        registry.register_with_unit(
            "response_containment",
            "Time from the event that a rule fired with until its order was in force",
            Unit::Seconds,
            metrics.containment.clone(),
        );
        metrics
    }

    /// An order is in another state than before.
    pub(super) fn stepped(&self, kept: &Kept) {
        let step = OfStep {
            action: kept.order.action.as_str(),
            outcome: kept.state.as_str(),
        };
        self.orders.get_or_create(&step).inc();
        if kept.state == State::InForce
            && let Some(at) = kept.in_force_at
        {
            self.containment.observe(at.since(kept.fired_at).as_secs_f64());
        }
    }
}
