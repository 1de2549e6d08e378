//! Completeness as metrics: what is missing of each service, who is silent, and how far the count is behind.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::database::Database;
use shared::runtime::metrics::Metrics;

use super::store;

/// Named by the broker's users, of which there are few.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfService {
    source: String,
}

/// Registers the metrics under `prefix` and has the database asked before each reading: every collector says the same.
pub fn watch(metrics: &Metrics, prefix: &str, database: &Database) {
    let (gaps, missing, silent) = (
        Family::<OfService, Gauge>::default(),
        Family::<OfService, Gauge>::default(),
        Family::<OfService, Gauge>::default(),
    );
    let lag = Gauge::<i64>::default();
    metrics.register(prefix, |registry| {
        registry.register(
            "log_gaps",
            "Gaps in the numbers of a service's sources",
            gaps.clone(),
        );
        registry.register("log_missing", "Numbers that are missing in them", missing.clone());
        registry.register(
            "sources_silent",
            "Sources of a service that fell silent without a word",
            silent.clone(),
        );
        registry.register(
            "completeness_lag",
            "Events in the log whose numbers were not counted yet",
            lag.clone(),
        );
    });
    let database = database.clone();
    metrics.probe(move || {
        let (gaps, missing, silent, lag) = (gaps.clone(), missing.clone(), silent.clone(), lag.clone());
        let database = database.clone();
        async move {
            let (Ok(standings), Ok(behind)) =
                (store::standings(&database).await, store::lag(&database).await)
            else {
                return;
            };
            lag.set(i64::try_from(behind).unwrap_or(i64::MAX));
            for family in [&gaps, &missing, &silent] {
                family.clear();
            }
            for ((service, standing), (sources, gap_count, missing_count)) in standings.0 {
                let label = OfService { source: service };
                gaps.get_or_create(&label).inc_by(gap_count);
                missing.get_or_create(&label).inc_by(missing_count);
                let is_silent = standing == "silent";
                silent
                    .get_or_create(&label)
                    .inc_by(if is_silent { sources } else { 0 });
            }
        }
    });
}
