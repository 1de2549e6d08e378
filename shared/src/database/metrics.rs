//! The database as metrics: whether it answers, and how its connections are used.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{Database, PoolUse};
use crate::runtime::metrics::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

/// Registers the database's metrics under `prefix` and has it asked before each reading.
pub fn watch(metrics: &Metrics, prefix: &str, database: &Database) {
    let (up, connections) = (Gauge::<i64>::default(), Family::<Connections, Gauge>::default());
    metrics.register(prefix, |registry| {
        registry.register("database_up", "Whether the database answers", up.clone());
        registry.register(
            "database_connections",
            "Connections to the database, by pool and state",
            connections.clone(),
        );
    });
    let database = database.clone();
    metrics.probe(move || {
        let (writers, readers) = database.usage();
        set(&connections, "write", writers);
        set(&connections, "read", readers);
        let (up, database) = (up.clone(), database.clone());
        async move {
            up.set(i64::from(database.answers().await));
        }
    });
}

fn set(connections: &Family<Connections, Gauge>, pool: &'static str, usage: PoolUse) {
    let busy = usage.open.saturating_sub(usage.idle);
    for (state, count) in [("busy", busy), ("idle", usage.idle)] {
        connections
            .get_or_create(&Connections { pool, state })
            .set(count.into());
    }
}
