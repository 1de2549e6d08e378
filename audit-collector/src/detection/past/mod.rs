//! The past judged by its own time: what a backtest and what came late have in common.

mod store;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError};

use super::engine::{Ledger, Record, Replay};
use super::rule::RuleSet;
use super::store::beginning;
use crate::enrichment::Places;
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
    database: &Database,
    rules: &RuleSet,
    span: Span,
    end: UtcMicros,
    places: Option<&Places>,
) -> Result<Ledger, DatabaseError> {
    let (replay, _) = replay_while(database, rules, span, places, |_| true).await?;
    Ok(replay.end(end))
}

/// Takes the events of `span` in, page by page, for as long as `goes_on` says so of the number of those before.
pub(super) async fn replay_while(
    database: &Database,
    rules: &RuleSet,
    span: Span,
    places: Option<&Places>,
    goes_on: impl Fn(u64) -> bool,
) -> Result<(Replay, Reach), DatabaseError> {
    let begun = beginning(database).await?;
    let known_from = begun.map(|begun| begun.max(span.from));
    let mut replay = Replay::new(rules.clone(), known_from);
    let mut past = Past::new(database, span.from, span.until);
    let mut reach = Reach {
        events: 0,
        until: span.from,
    };
    while goes_on(reach.events) {
        let Some(page) = past.next(places).await? else {
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
