//! The past judged by its own time: what a backtest and what came late have in common.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError};

use super::engine::{Ledger, Replay};
use super::place::Places;
use super::rule::RuleSet;
use super::store::{Past, beginning};

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: UtcMicros,
    /// The first moment after.
    pub until: UtcMicros,
}

/// Every alert that `rules` find in the events of `span`, as it stands at `end`.
pub async fn replay(
    database: &Database,
    rules: &RuleSet,
    span: Span,
    end: UtcMicros,
    places: Option<&Places>,
) -> Result<Ledger, DatabaseError> {
    let begun = beginning(database).await?;
    let known_from = begun.map(|begun| begun.max(span.from));
    let mut replay = Replay::new(rules.clone(), known_from);
    let mut past = Past::open(database, span.from, span.until, places).await?;
    while let Some(page) = past.next(places).await? {
        replay.take(page);
    }
    Ok(replay.end(end))
}
