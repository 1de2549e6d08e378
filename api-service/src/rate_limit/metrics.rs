//! Rate limits as metrics.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::runtime::metrics::Metrics;

use super::limiter::RateLimiter;
use super::rule::RateRule;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limited {
    limit: String,
}

/// What the limiter counts of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateMetrics {
    limited: Family<Limited, Counter>,
}

impl RateMetrics {
    pub(super) fn exceeded(&self, rule: &RateRule) {
        let limit = rule.name.clone();
        self.limited.get_or_create(&Limited { limit }).inc();
    }
}

impl RateLimiter {
    /// A limiter whose metrics begin with `prefix`.
    pub(crate) fn watched(metrics: &Metrics, prefix: &str) -> Arc<Self> {
        let own = RateMetrics::default();
        let keys = Family::<Kind, Gauge>::default();
        metrics.register(prefix, |registry| {
            registry.register(
                "rate_limited",
                "Requests that were over a limit of the policy, by its name",
                own.limited.clone(),
            );
            registry.register(
                "rate_limit_keys",
                "Keys that limits are counted by, of 100 000 each; those that find no room share one",
                keys.clone(),
            );
        });
        let limiter = Arc::new(Self::new(own));
        let watched = Arc::clone(&limiter);
        metrics.probe(move || {
            for (kind, count) in ["strangers", "callers"].into_iter().zip(watched.keys()) {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                keys.get_or_create(&Kind { kind }).set(count);
            }
            std::future::ready(())
        });
        limiter
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}
