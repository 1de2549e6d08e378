//! What the log adds up to: every source, and how far the log has been counted. Pure; `store.rs` keeps it.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::{Class, Source, action};
use shared::spool::EventDigest;
use shared::transport::{Lacking, LackingStretch, STRETCHES_MAX};
use uuid::Uuid;

use super::notice::{Notice, SourceStatement, Statement};
use super::numbers::Gap;
use super::source::{Recent, Record, SeenAt};
use crate::event_log::Positioned;
use crate::settings::SERVICE;

/// Beats of collectors that are closer than this are one: any number of collectors beats every ten seconds.
const BEAT_SECONDS_MIN: i64 = 8;

/// How often a statement is made.
const STATEMENT_SECONDS: i64 = 60 * 60;

/// How far the log has been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The first position that was not counted.
    pub(super) position: u64,
    /// The collectors' beats so far: a clock that stands still while they do not read, and goes through the same queue as
    /// everybody's events, so that a backlog makes nobody silent.
    beats: u64,
    /// When the last of them was.
    beat_at: Option<UtcMicros>,
    /// The position at which the last statement ended.
    stated_to: u64,
    /// The hour in which it did.
    stated_in: Option<i64>,
}

/// A number that a dead letter fills.
#[derive(Clone, Debug)]
pub(super) struct DeadNumber {
    pub(super) letter: Uuid,
    pub(super) source: Source,
    pub(super) number: u64,
    pub(super) digest: EventDigest,
    pub(super) received_at: UtcMicros,
}

/// What the log adds up to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) progress: Progress,
    sources: HashMap<Source, Record>,
    changed: HashSet<Source>,
    /// Events whose number was filled before, unless they are dead letters that were replayed.
    reused: Vec<(Source, Uuid)>,
}

impl Ledger {
    /// Goes on from what was kept: every source that is watched.
    pub(super) fn of(progress: Progress, watched: impl Iterator<Item = (Source, Record)>) -> Self {
        Self {
            progress,
            sources: watched.collect(),
            ..Self::default()
        }
    }

    /// Whether the source is at hand. One that is not must be loaded before something of it is taken.
    pub(super) fn holds(&self, source: &Source) -> bool {
        self.sources.contains_key(source)
    }

    /// Takes what was kept of a source.
    pub(super) fn load(&mut self, source: Source, record: Record) {
        self.sources.insert(source, record);
    }

    /// Counts an event of the log, which must be the next. Returns what is to be told.
    pub(super) fn take(&mut self, positioned: &Positioned) -> Vec<Notice> {
        self.progress.position = positioned.position + 1;
        // Bytes that somebody made unreadable leave a gap, as they should.
        let Some(event) = &positioned.event else {
            return Vec::new();
        };
        // Who wrote a log of another kind numbered nothing.
        if event.source.is_import() {
            return Vec::new();
        }
        let time = if positioned.time_suspect {
            positioned.recorded_at
        } else {
            event.time
        };
        let seen_at = SeenAt {
            time,
            recorded_at: positioned.recorded_at,
            beat: self.progress.beats,
        };
        let record = self.record(&event.source, time);
        let (mut notices, is_known) =
            record.take(event, positioned.original.digest(&positioned.body), seen_at);
        if is_known {
            self.reused.push((event.source.clone(), event.id));
        }
        let beats = event.source.service == SERVICE
            && event.facts.class == Class::System
            && event.facts.action == action::HEARTBEAT;
        if beats {
            notices.extend(self.beat(positioned.recorded_at));
        }
        notices
    }

    /// Counts a number that a dead letter fills.
    pub(super) fn take_dead(&mut self, dead: &DeadNumber) -> Vec<Notice> {
        if dead.source.is_import() {
            return Vec::new();
        }
        let beat = self.progress.beats;
        let record = self.record(&dead.source, dead.received_at);
        record.heard_in_beat = beat;
        record.take_dead(&dead.source, dead.number, dead.digest, dead.received_at)
    }

    /// What is to be told of gaps that were noticed before.
    pub(super) fn tell_gaps(&mut self, noticed_before: UtcMicros) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (source, record) in &mut self.sources {
            let told = record.tell_gaps(source, noticed_before);
            if !told.is_empty() {
                self.changed.insert(source.clone());
                notices.extend(told);
            }
        }
        notices
    }

    /// Whether there is a gap that is not told yet.
    pub(super) fn waits_for_gaps(&self) -> bool {
        self.sources
            .values()
            .any(|record| record.numbers.gaps().any(|gap| gap.told.is_none()))
    }

    /// What is missing of gaps that were noticed within those moments.
    pub(super) fn lacking(&self, noticed: &RangeInclusive<UtcMicros>) -> Lacking {
        let of_source = |(source, record): (&Source, &Record)| {
            let boot = source.boot;
            let gaps = record
                .numbers
                .gaps()
                .filter(|gap| noticed.contains(&gap.noticed_at));
            let stretch = |gap: Gap| LackingStretch {
                boot,
                first: gap.numbers.first,
                last: gap.numbers.last,
            };
            gaps.map(stretch).collect::<Vec<_>>()
        };
        Lacking {
            stretches: self
                .sources
                .iter()
                .flat_map(of_source)
                .take(STRETCHES_MAX)
                .collect(),
        }
    }

    /// Events whose number was filled before.
    pub(super) fn reused(&self) -> impl Iterator<Item = Uuid> {
        self.reused.iter().map(|(_, id)| *id)
    }

    /// Notes the reuse of numbers, except by events that were dead letters first.
    pub(super) fn note_reused(&mut self, replayed: &HashSet<Uuid>) {
        for (source, id) in std::mem::take(&mut self.reused) {
            if replayed.contains(&id) {
                continue;
            }
            tracing::error!(event.id = %id, %source, "an event has a number that another one had before");
            if let Some(record) = self.sources.get_mut(&source) {
                record.reused += 1;
            }
        }
    }

    /// What changed, kept within its bounds.
    pub(super) fn changed(&mut self) -> impl Iterator<Item = (&Source, &Record)> {
        for source in &self.changed {
            if let Some(record) = self.sources.get_mut(source) {
                record.numbers.trim();
            }
        }
        self.changed
            .iter()
            .filter_map(|source| self.sources.get_key_value(source))
    }

    /// Lets go of what is kept now and needs no watching.
    pub(super) fn settle(&mut self) {
        self.changed.clear();
        self.sources.retain(|_, record| record.is_watched());
    }

    fn record(&mut self, source: &Source, time: UtcMicros) -> &mut Record {
        if !self.changed.contains(source) {
            self.changed.insert(source.clone());
        }
        self.sources
            .entry(source.clone())
            .or_insert_with(|| Record::new(time))
    }

    /// A beat of some collector, by the collectors' clock.
    fn beat(&mut self, time: UtcMicros) -> Vec<Notice> {
        let is_new = self
            .progress
            .beat_at
            .is_none_or(|last| time.as_seconds() - last.as_seconds() >= BEAT_SECONDS_MIN);
        if !is_new {
            return Vec::new();
        }
        self.progress.beats += 1;
        self.progress.beat_at = Some(time);
        let beats = self.progress.beats;
        let mut notices = Vec::new();
        for (source, record) in &mut self.sources {
            if let Some(silent) = record.listen(source, beats, time) {
                self.changed.insert(source.clone());
                notices.push(silent);
            }
        }
        let hour = time.as_seconds().div_euclid(STATEMENT_SECONDS);
        let stated_in = self.progress.stated_in.replace(hour);
        if stated_in.is_some_and(|stated_in| stated_in < hour) {
            notices.push(Notice::Statement(self.statement(time)));
        }
        notices
    }

    /// What came since the last statement.
    fn statement(&mut self, time: UtcMicros) -> Statement {
        let mut sources: Vec<(&Source, SourceStatement)> = Vec::new();
        for (source, record) in &mut self.sources {
            let missing = record.numbers.missing();
            let recent = std::mem::take(&mut record.recent);
            if recent == Recent::default() && missing == 0 {
                continue;
            }
            self.changed.insert(source.clone());
            sources.push((
                source,
                SourceStatement {
                    source: source.to_string(),
                    standing: record.standing().as_str(),
                    events: recent.events,
                    dead_letters: recent.dead_letters,
                    first: recent.first,
                    last: recent.last,
                    complete_to: record.numbers.complete_to(),
                    missing,
                    altered: record.altered_count,
                },
            ));
        }
        sources.sort_by_key(|(source, _)| *source);
        let from = std::mem::replace(&mut self.progress.stated_to, self.progress.position);
        Statement {
            from,
            to: self.progress.position,
            time,
            sources: sources.into_iter().map(|(_, statement)| statement).collect(),
        }
    }
}
