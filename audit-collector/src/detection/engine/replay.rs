//! The alerts of a stretch of the past: its events in the order in which they happened. Pure.

use shared::clock::UtcMicros;

use super::{Engine, Ledger, Record};
use crate::detection::rule::RuleSet;

/// Events in one step.
const STEP: usize = 1_000;

/// Takes the past in, a page after the other, and keeps what stands.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    ledger: Ledger,
}

impl Replay {
    /// Of a log that nothing is known of before `known_from`.
    pub fn new(rules: RuleSet, known_from: Option<UtcMicros>) -> Self {
        let mut engine = Engine::new(rules);
        if let Some(from) = known_from {
            engine.know_from(from);
        }
        Self {
            engine,
            ledger: Ledger::new(),
        }
    }

    /// Takes a page in. No event of it happened before any of the pages before.
    pub fn take(&mut self, mut page: Vec<Record>) {
        page.sort_by_key(|record| (record.at(), record.event.id));
        for record in &mut page {
            // As if each had been stored when it happened.
            record.recorded_at = record.at();
            record.time_suspect = false;
        }
        for step in page.chunks(STEP) {
            if let Some(last) = step.last() {
                self.engine.feed(step, last.recorded_at).enter(&mut self.ledger);
            }
        }
    }

    /// What stands at `end`.
    pub fn end(mut self, end: UtcMicros) -> Ledger {
        self.engine.feed(&[], end).enter(&mut self.ledger);
        self.ledger
    }
}
