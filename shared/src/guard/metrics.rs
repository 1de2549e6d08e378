//! A guard as metrics: whether it can decide, and how far it has heard the enforcement log.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;

use super::Guard;
use crate::runtime::metrics::Metrics;

/// Registers the guard's metrics under `prefix` and has it asked before each reading.
pub fn watch(metrics: &Metrics, prefix: &str, guard: &Arc<Guard>) {
    let (keys, blind, cursor) = (
        Gauge::<i64>::default(),
        Gauge::<i64>::default(),
        Gauge::<i64>::default(),
    );
    metrics.register(prefix, |registry| {
        registry.register(
            "guard_has_keys",
            "Whether the keys of every issuer are known",
            keys.clone(),
        );
        registry.register(
            "guard_blind",
            "Whether revocations were not heard of for too long",
            blind.clone(),
        );
        registry.register(
            "guard_cursor",
            "The last entry of the enforcement log that was heard",
            cursor.clone(),
        );
    });
    let guard = Arc::clone(guard);
    metrics.probe(move || {
        keys.set(i64::from(guard.has_all_keys()));
        blind.set(i64::from(guard.is_blind()));
        cursor.set(guard.cursor());
        std::future::ready(())
    });
}
