//! What is in force is watched: until it is over, and until a door has refused somebody because of it.

mod proof;
mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError};

use super::kept::{Kept, State};
use super::order::Action;
use store::Place;

/// How long the first refusal is waited for.
const WATCH_FOR: Duration = Duration::from_hours(24);

/// How far the leader has come among the orders that no refusal has proved yet: they take turns, however many there are.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The last one that was looked at; none at the beginning of a round.
    last: Option<Place>,
}

impl Rounds {
    /// The next orders in turn that a refusal proves, with that refusal, the newest first.
    pub(super) async fn proved(
        &mut self,
        database: &Database,
        now: UtcMicros,
    ) -> Result<Vec<Kept>, DatabaseError> {
        let unproved = store::unproved(database, now.minus(WATCH_FOR), self.last).await?;
        self.last = store::is_full(&unproved)
            .then(|| unproved.last().and_then(Place::of))
            .flatten();
        let mut proved = Vec::new();
        for mut kept in unproved {
            let refusals = store::refusals(database, &kept).await?;
            let first = refusals
                .into_iter()
                .find(|refusal| proof::is_proof(&kept, &refusal.decision));
            if let Some(first) = first {
                kept.refusal = Some((first.event, first.at));
                kept.decision.get_or_insert(first.decision);
                proved.push(kept);
            }
        }
        Ok(proved)
    }
}

/// Orders whose time is over by `now`, as what they are from then on.
pub(super) async fn over(database: &Database, now: UtcMicros) -> Result<Vec<Kept>, DatabaseError> {
    let mut over = store::over(database, now).await?;
    for kept in &mut over {
        expire(kept, now);
    }
    Ok(over)
}

/// A block is over by itself; a locked account is not.
fn expire(kept: &mut Kept, now: UtcMicros) {
    if kept.order.action == Action::LockAccount {
        kept.state = State::Lifting;
        kept.next_at = now;
        kept.attempts = 0;
    } else {
        kept.state = State::Expired;
        kept.ended_at = kept.expires_at;
    }
}
