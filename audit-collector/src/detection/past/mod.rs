//! The past judged by its own time: what a backtest and what came late have in common.

mod store;

use shared::clock::UtcMicros;
use shared::database::DatabaseError;

use super::engine::{Ledger, Record, Replay};
use super::rule::RuleSet;
use super::store::beginning;
use crate::event_log::EventLog;
use store::Past;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: UtcMicros,
    /// The first moment after.
    pub until: UtcMicros,
}

/// How far the past was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Events that were read.
    pub(super) events: u64,
    /// Until when they happened: the end of the stretch, if all were read.
    pub(super) until: UtcMicros,
}

/// Every alert that `rules` find in the events of `span`, as it stands at `end`.
pub async fn replay(
    log: &EventLog,
    rules: &RuleSet,
    span: Span,
    end: UtcMicros,
) -> Result<Ledger, DatabaseError> {
    let (replay, _) = replay_while(log, rules, span, |_| true).await?;
    Ok(replay.end(end))
}

/// Takes the events of `span` in, page by page, for as long as `goes_on` says so of the number of those before.
pub(super) async fn replay_while(
    log: &EventLog,
    rules: &RuleSet,
    span: Span,
    goes_on: impl Fn(u64) -> bool,
) -> Result<(Replay, Reach), DatabaseError> {
    let mut replaying = Replaying::begin(log, rules, span).await?;
    while goes_on(replaying.reach.events) && replaying.step().await? {}
    Ok((replaying.replay, replaying.reach))
}

/// A replay of a stretch of time that is under way.
#[derive(Debug)]
pub(super) struct Replaying {
    replay: Replay,
    past: Past,
    reach: Reach,
    until: UtcMicros,
}

impl Replaying {
    /// Before the first page of `span`.
    pub(super) async fn begin(log: &EventLog, rules: &RuleSet, span: Span) -> Result<Self, DatabaseError> {
        let begun = beginning(log.database()).await?.unwrap_or(span.from);
        Ok(Self {
            replay: Replay::new(rules.clone(), Some(begun.max(span.from))),
            past: Past::new(log.clone(), span.from, span.until),
            reach: Reach {
                events: 0,
                until: span.from,
            },
            until: span.until,
        })
    }

    /// Takes the next page in. Returns whether there was one.
    pub(super) async fn step(&mut self) -> Result<bool, DatabaseError> {
        let Some(page) = self.past.next().await? else {
            self.reach.until = self.until;
            return Ok(false);
        };
        self.reach.events += page.len() as u64;
        if let Some(last) = page.iter().map(Record::at).max() {
            self.reach.until = self.reach.until.max(last);
        }
        self.replay.take(page);
        Ok(true)
    }

    /// What has been taken in.
    pub(super) fn into_replay(self) -> Replay {
        self.replay
    }
}
