//! Why requests were refused, as a metric.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Refusals by their code, of which there is a fixed number.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(Family<Reason, Counter>);

impl Reasons {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let reasons = Self::default();
        registry.register(
            "requests_refused",
            "Requests that were refused or could not be served, by the code that they were answered with",
            reasons.0.clone(),
        );
        reasons
    }

    pub(super) fn count(&self, reason: &'static str) {
        self.0.get_or_create(&Reason { reason }).inc();
    }
}
