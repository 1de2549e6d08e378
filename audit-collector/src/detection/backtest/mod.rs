//! What a rule would have found in a period of the past, over HTTP and within bounds. The command has none
//! (`audit-collector rules backtest`).

pub(super) mod handler;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use shared::clock::UtcMicros;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::engine::Finding;
use super::past::{Reach, Span};
use crate::statistics::Buckets;

/// Events that one reads at most.
const EVENTS_MAX: u64 = 2_000_000;

/// How long one takes at most, from one page of events to the next.
const TIME_MAX: Duration = Duration::from_secs(15);

/// Findings that are told one by one: the latest.
const TOLD_MAX: usize = 100;

/// What backtests of this process need. They read much, beside those who search: one at a time.
#[derive(Clone, Debug)]
pub struct Backtests {
    turn: Arc<Semaphore>,
}

impl Default for Backtests {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Backtests {
    /// The turn, if it is nobody's. Dropped, it is free again.
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).try_acquire_owned().ok()
    }
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Backtest {
    from: UtcMicros,
    to: UtcMicros,
    /// Whether all of the period was judged.
    complete: bool,
    /// Until when it was.
    judged_until: UtcMicros,
    /// Events that were read.
    events: u64,
    /// Alerts that there would have been.
    alerts: usize,
    /// How wide each stretch of the period is.
    bucket_seconds: i64,
    /// When each begins.
    starts: Vec<UtcMicros>,
    /// The alerts in each, by when they would have been raised.
    counts: Vec<u64>,
    /// The latest of them, the latest first.
    findings: Vec<Found>,
}

/// An alert that there would have been.
#[derive(Debug, Serialize)]
struct Found {
    fingerprint: String,
    group: Map<String, Value>,
    at: UtcMicros,
    since: UtcMicros,
    until: UtcMicros,
    value: f64,
    evidence: Vec<Uuid>,
}

impl From<&Finding> for Found {
    fn from(finding: &Finding) -> Self {
        let names = finding.rule.group_names().into_iter();
        let values = finding.group.iter().map(|value| Value::from(value.as_str()));
        Self {
            fingerprint: finding.fingerprint.to_string(),
            group: names.zip(values).collect(),
            at: finding.at,
            since: finding.since,
            until: finding.until,
            value: finding.value,
            evidence: finding.evidence.clone(),
        }
    }
}

impl Backtest {
    /// The answer for what was found in `span`, divided into `buckets`.
    fn of(span: Span, buckets: &Buckets, reach: Reach, found: impl Iterator<Item = Finding>) -> Self {
        let mut by_time: BTreeMap<_, Finding> = BTreeMap::new();
        let mut counts = vec![0; buckets.count()];
        for finding in found {
            if let Some(count) = buckets.index(finding.at).and_then(|index| counts.get_mut(index)) {
                *count += 1;
            }
            by_time.insert((finding.at, finding.fingerprint.0), finding);
        }
        Self {
            from: span.from,
            to: span.until,
            complete: reach.until >= span.until,
            judged_until: reach.until,
            events: reach.events,
            alerts: by_time.len(),
            bucket_seconds: buckets.seconds(),
            starts: buckets.starts(),
            counts,
            findings: by_time.values().rev().take(TOLD_MAX).map(Found::from).collect(),
        }
    }
}
