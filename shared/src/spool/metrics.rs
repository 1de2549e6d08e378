//! A spool as metrics: how full it is, and whether it takes events.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;

use super::Spool;
use crate::runtime::metrics::Metrics;

/// Registers the spool's metrics under `prefix` and has it asked before each reading.
pub fn watch(metrics: &Metrics, prefix: &str, spool: &Spool) {
    let (used, max, failing, blocked) = (
        Gauge::<i64>::default(),
        Gauge::<i64>::default(),
        Gauge::<i64>::default(),
        Gauge::<i64>::default(),
    );
    let (intents, left) = (Gauge::<i64>::default(), Gauge::<i64>::default());
    metrics.register(prefix, |registry| {
        registry.register(
            "spool_intents_open",
            "Requests whose intent is written and whose outcome is not known yet",
            intents.clone(),
        );
        registry.register(
            "spool_used_bytes",
            "Bytes of events that the broker has not confirmed",
            used.clone(),
        );
        registry.register(
            "spool_left_bytes",
            "Bytes that boots that are gone have left and that wait to be forwarded",
            left.clone(),
        );
        registry.register("spool_max_bytes", "Bytes of events that may wait", max.clone());
        registry.register(
            "spool_failing",
            "Whether the last write failed, so that nothing is taken",
            failing.clone(),
        );
        registry.register(
            "spool_broker_blocked",
            "Whether the broker takes nothing because it is short of memory or disk",
            blocked.clone(),
        );
    });
    // Not the spool itself, which would be kept open.
    let room = Arc::clone(&spool.room);
    let broker_blocked = spool.broker_blocked.clone();
    metrics.probe(move || {
        intents.set(i64::try_from(room.intents()).unwrap_or(i64::MAX));
        used.set(i64::try_from(room.used()).unwrap_or(i64::MAX));
        left.set(i64::try_from(room.left()).unwrap_or(i64::MAX));
        max.set(i64::try_from(room.bytes_max()).unwrap_or(i64::MAX));
        failing.set(i64::from(room.is_failing()));
        blocked.set(i64::from(*broker_blocked.borrow()));
        std::future::ready(())
    });
}
