//! Intake as metrics: what came of events, how large and how fast batches are, and how far behind they are.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::clock::UtcMicros;

use crate::dead_letter::DeadLetter;
use crate::event_log::{Appended, Arrival};

/// The upper ends of the classes of batches, in events.
const BATCHES: [f64; 9] = [1.0, 5.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0];

/// The upper ends of the classes of commits, in seconds.
const COMMITS: [f64; 10] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What intake counts. Clones share it.
#[derive(Clone, Debug)]
pub struct Counts {
    events: Family<What, Counter>,
    dead_letters: Family<Reason, Counter>,
    batches: Histogram,
    commits: Histogram,
    lag: Gauge<f64, AtomicU64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            events: Family::default(),
            dead_letters: Family::default(),
            batches: Histogram::new(BATCHES),
            commits: Histogram::new(COMMITS),
            lag: Gauge::default(),
        }
    }
}

impl Counts {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let counts = Self::default();
        registry.register(
            "intake_events",
            "Events that came, by what became of them",
            counts.events.clone(),
        );
        registry.register(
            "intake_dead_letters",
            "Deliveries that are no events or may not be believed",
            counts.dead_letters.clone(),
        );
        registry.register(
            "intake_batch_events",
            "Events in a transaction",
            counts.batches.clone(),
        );
        registry.register_with_unit(
            "intake_commit_duration",
            "Time that storing a batch took",
            Unit::Seconds,
            counts.commits.clone(),
        );
        registry.register_with_unit(
            "intake_lag",
            "Age of the newest event of the last batch when it was stored",
            Unit::Seconds,
            counts.lag.clone(),
        );
        counts
    }

    /// Counts a batch that took so long and was stored at `now`.
    pub(super) fn count(&self, appended: &Appended, dead: &[DeadLetter], took: Duration) {
        for (what, count) in [
            ("stored", appended.stored),
            ("duplicate", appended.duplicates),
            ("repeat", appended.repeats),
            ("conflict", appended.conflicts.len()),
        ] {
            self.events.get_or_create(&What { what }).inc_by(count as u64);
        }
        for DeadLetter { reason, .. } in dead {
            self.dead_letters.get_or_create(&Reason { reason }).inc();
        }
        let events = u32::try_from(appended.stored).unwrap_or(u32::MAX);
        self.batches.observe(events.into());
        self.commits.observe(took.as_secs_f64());
    }

    /// Notes how old the newest of `arrivals` is at `now`, by the clocks of both.
    pub(super) fn note_lag(&self, arrivals: &[Arrival], now: UtcMicros) {
        if let Some(newest) = arrivals.iter().map(|arrival| arrival.event.time).max() {
            let micros = now.as_micros().saturating_sub(newest.as_micros()).max(0);
            self.lag
                .set(Duration::from_micros(micros.unsigned_abs()).as_secs_f64());
        }
    }
}
