//! What is counted of upstreams.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    upstream: String,
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    upstream: String,
    server: String,
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
}

/// The metrics of upstreams, by their names and servers in the policy.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamMetrics {
    up: Family<ServerLabels, Gauge>,
    failures: Family<FailureLabels, Counter>,
    retries: Family<UpstreamLabels, Counter>,
}

impl UpstreamMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            up: Family::default(),
            failures: Family::default(),
            retries: Family::default(),
        };
        registry.register(
            "upstream_up",
            "Whether a server of an upstream is given requests",
            metrics.up.clone(),
        );
        registry.register(
            "upstream_failures",
            "Requests that a server of an upstream did not answer",
            metrics.failures.clone(),
        );
        registry.register(
            "upstream_retries",
            "Requests that were sent once more, to another server if there is one",
            metrics.retries.clone(),
        );
        metrics
    }

    pub(super) fn set_up(&self, upstream: &str, server: &str, is_up: bool) {
        let labels = ServerLabels {
            upstream: upstream.to_owned(),
            server: server.to_owned(),
        };
        self.up.get_or_create(&labels).set(i64::from(is_up));
    }

    pub(super) fn count_failure(&self, upstream: &str, server: &str, cause: &'static str) {
        let labels = FailureLabels {
            upstream: upstream.to_owned(),
            server: server.to_owned(),
            cause,
        };
        self.failures.get_or_create(&labels).inc();
    }

    pub(super) fn count_retry(&self, upstream: &str) {
        let labels = UpstreamLabels {
            upstream: upstream.to_owned(),
        };
        self.retries.get_or_create(&labels).inc();
    }
}
