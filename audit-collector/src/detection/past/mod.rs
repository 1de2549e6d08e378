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
    let begun = beginning(log.database()).await?;
    let known_from = begun.map(|begun| begun.max(span.from));
    let mut replay = Replay::new(rules.clone(), known_from);
    let mut past = Past::new(log, span.from, span.until);
    let mut reach = Reach {
        events: 0,
        until: span.from,
    };
    while goes_on(reach.events) {
        let Some(page) = past.next().await? else {
            reach.until = span.until;
            break;
        };
        reach.events += page.len() as u64;
        if let Some(last) = page.iter().map(Record::at).max() {
            reach.until = reach.until.max(last);
        }
        replay.take(page);
    }
    Ok((replay, reach))
}
