//! The engine: stored events in, alerts out. Pure: the same events give the same alerts, in whatever order and batches
//! they come, whether they are read as they are stored, in a backtest or in a rule's own tests.

mod again;
mod finding;
mod forget;
mod habit;
mod hits;
mod intake;
mod item;
mod replay;
mod span;
mod tally;
mod tell;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::clock::UtcMicros;
use shared::event::Event;

use super::field::Seen;
use super::rule::{Pattern, Rule, RuleSet};
use crate::enrichment::Place;
pub use again::{Again, Told};
pub use finding::{Finding, Fingerprint, Late, Ledger, MemoryKey, Outcome};
use forget::EVENTS_MAX;
pub use habit::Memory;
pub use replay::Replay;
use span::{PARTS, open_from, waits};
use tell::tell;
use timeline::{Standing, Timeline};

/// How late an event may be and still be judged at once. What is later is judged by reading the log again.
pub const LATENESS: Duration = Duration::from_mins(2);

/// Memories of groups that are kept here; what is in the database too can be read again.
const MEMORIES_MAX: usize = 50_000;

/// An event of the log, as the engine takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it says.
    pub event: Arc<Event>,
    /// When it was stored.
    pub recorded_at: UtcMicros,
    /// Whether the producer's clock was far from the collector's.
    pub time_suspect: bool,
    /// Where its client's address is.
    pub place: Option<Place>,
}

impl Record {
    /// The moment that counts.
    pub fn at(&self) -> UtcMicros {
        if self.time_suspect {
            self.recorded_at
        } else {
            self.event.time
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            event: &self.event,
            at: self.at(),
            place: self.place,
        }
    }
}

/// The state of all rules. As much of it as matters is rebuilt from the log; memories are given from the database.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    groups: Vec<HashMap<Vec<String>, Timeline>>,
    memories: HashMap<MemoryKey, Memory>,
    /// Up to when the log has been read, by the time of storing.
    watermark: i64,
    /// The log is known from then on.
    known_from: i64,
    /// What must be looked at when the watermark has come there: the rule and the group.
    waiting: BTreeMap<i64, Vec<(usize, Vec<String>)>>,
    /// Nothing that is open at this watermark is forgotten, if judging again is under way from there on.
    kept_from: Option<i64>,
    swept_at: i64,
    /// Events since then.
    unswept: usize,
}

/// What a batch touches of the timelines of each rule: the earliest moment that is to be judged anew.
type Touched = Vec<HashMap<Vec<String>, i64>>;

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: RuleSet) -> Self {
        Self {
            groups: rules.rules().iter().map(|_| HashMap::new()).collect(),
            rules,
            memories: HashMap::new(),
            watermark: i64::MIN,
            known_from: i64::MIN,
            waiting: BTreeMap::new(),
            kept_from: None,
            swept_at: i64::MIN,
            unswept: 0,
        }
    }

    /// Takes it that nothing is known of before `from`: what is missing there is not missed.
    pub const fn know_from(&mut self, from: UtcMicros) {
        self.known_from = from.as_micros();
    }

    /// The longest time that an event matters after it happened. Where nobody `has_places`, no event matters to a rule of travel.
    pub fn reach(rules: &RuleSet, has_places: bool) -> Duration {
        let matters = |pattern: &&Pattern| has_places || !matches!(pattern, Pattern::Travel(_));
        let patterns = rules.rules().iter().map(|rule| &rule.pattern);
        let timespans = patterns.filter(matters).map(Pattern::timespan);
        let longest = timespans.max().unwrap_or_default();
        // Windows of parts begin up to one part earlier, and no rule waits for longer than what is late may take.
        longest + longest / PARTS + 2 * LATENESS
    }

    /// Gives a memory from the database, or says by an empty one that there is none.
    pub fn remember(&mut self, key: MemoryKey, memory: Memory) {
        self.memories.insert(key, memory);
    }

    /// Takes a batch in that was read before, without judging it: the state is being rebuilt.
    pub fn rebuild(&mut self, records: &[Record]) {
        let mut touched = self.untouched();
        let mut outcome = Outcome::default();
        self.insert(records, &mut touched, &mut outcome);
        self.forget_beyond(EVENTS_MAX, &mut outcome);
    }

    /// Takes events into the memories that were taken into others before, and tells what those have become. What they broke with was told then.
    pub fn note_again(&mut self, records: &[Record]) -> Vec<(MemoryKey, Memory)> {
        let mut outcome = Outcome::default();
        self.note(records, &mut outcome);
        outcome.memories
    }

    /// Ends rebuilding at `watermark`. Nothing is told again.
    pub fn resume(&mut self, watermark: UtcMicros) {
        self.watermark = watermark.as_micros();
        for (rule, groups) in self.rules.rules().iter().zip(&mut self.groups) {
            let from = open_from(&rule.pattern, self.watermark);
            for timeline in groups.values_mut() {
                timeline.judge(rule, from, until(rule, self.watermark));
            }
        }
    }

    /// Takes it that this alert is told already. Those that can still be judged here are left to that.
    pub fn recall(&mut self, finding: &Finding) {
        let rules = self.rules.rules();
        let Some(place) = rules.iter().position(|rule| rule.id == finding.rule.id) else {
            return;
        };
        let at = finding.at.as_micros();
        let pattern = &finding.rule.pattern;
        if matches!(pattern, Pattern::Habit(_)) || at >= open_from(pattern, self.watermark) {
            return;
        }
        if let Some(groups) = self.groups.get_mut(place) {
            let timeline = groups.entry(finding.group.clone()).or_default();
            timeline.recall(finding.window_start.as_micros(), Standing::of(finding));
        }
    }

    /// Takes a batch in, in the log's order, and tells what it changes. Without events, it tells what `now`, the time of
    /// storing, changes by itself.
    pub fn feed(&mut self, records: &[Record], now: UtcMicros) -> Outcome {
        let mut outcome = Outcome::default();
        let mut touched = self.untouched();
        let before = self.watermark;
        self.insert(records, &mut touched, &mut outcome);
        self.note(records, &mut outcome);
        let newest = records.iter().map(|record| record.recorded_at.as_micros()).max();
        self.watermark = before.max(newest.unwrap_or(i64::MIN)).max(now.as_micros());
        self.take_waiting(&mut touched);
        let rules = self.rules.rules().iter().zip(&mut self.groups);
        for ((rule, groups), touched) in rules.zip(touched).filter(|(_, touched)| !touched.is_empty()) {
            let begun = Instant::now();
            let open_from = open_from(&rule.pattern, before);
            for (group, from) in touched {
                if let Some(timeline) = groups.get_mut(&group) {
                    let changes = timeline.judge(rule, from.max(open_from), until(rule, self.watermark));
                    tell(rule, &group, changes, &mut outcome);
                }
            }
            outcome.cost(rule, begun.elapsed());
        }
        self.unswept += records.len();
        self.sweep(&mut outcome);
        outcome.sort();
        outcome
    }

    fn untouched(&self) -> Touched {
        vec![HashMap::new(); self.groups.len()]
    }
}

/// The last moment that a rule may judge.
fn until(rule: &Rule, watermark: i64) -> i64 {
    match waits(&rule.pattern) {
        // Clocks of producers may be ahead.
        0 => i64::MAX,
        wait => watermark.saturating_sub(wait),
    }
}
