//! Retention as metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shared::database::Database;
use shared::runtime::metrics::Metrics;

use super::{Report, store};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfClass {
    class: &'static str,
    what: &'static str,
}

/// What is counted at the collector that removes. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RetentionMetrics {
    removed: Family<OfClass, Counter>,
}

impl RetentionMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "retention_removed",
            "What had been kept for long enough and was removed",
            metrics.removed.clone(),
        );
        metrics
    }

    /// A run has ended.
    pub(super) fn ran(&self, reports: &[Report]) {
        for Report { class, removed, .. } in reports {
            for (what, count) in [
                ("events", removed.events),
                ("ranges", removed.ranges),
                ("alerts", removed.alerts),
            ] {
                let class = class.as_str();
                self.removed.get_or_create(&OfClass { class, what }).inc_by(count);
            }
        }
    }
}

/// Registers what the database says, which is the same at every collector.
pub(crate) fn watch(metrics: &Metrics, prefix: &str, database: &Database) {
    let ran_at = Gauge::<i64>::default();
    metrics.register(prefix, |registry| {
        registry.register(
            "retention_last_run_timestamp_seconds",
            "When what had been kept for long enough was last removed; 0 if never",
            ran_at.clone(),
        );
    });
    let database = database.clone();
    metrics.probe(move || {
        let (ran_at, database) = (ran_at.clone(), database.clone());
        async move {
            if let Ok(last) = store::last_run(&database).await {
                ran_at.set(last.map_or(0, |(at, _)| at.as_seconds()));
            }
        }
    });
}
