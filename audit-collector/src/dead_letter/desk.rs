//! What people do with dead letters, with one or with many: every change is recorded before it is made to last, whoever
//! makes it.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use shared::clock::SharedClock;
use shared::event::{Facts, Outcome, action};
use uuid::Uuid;

use super::kept::KeptLetter;
use super::wanted::{Bulk, Wanted};
use crate::error::ApiError;
use crate::event_log::{Arrival, EventLog};
use crate::ingest::{Judged, judge};

/// Who acts, and where that is recorded.
pub(super) trait Witness: Sync {
    /// Facts of an act of that name, which ended so.
    fn facts(&self, name: &str, ended: (Outcome, StatusCode)) -> Facts;

    /// Records it; without that nothing may be changed.
    fn record(&self, facts: Facts) -> impl Future<Output = Result<(), ApiError>> + Send;
}

/// Where dead letters are acted on, and by whom.
pub(super) struct Desk<'d, W> {
    pub(super) log: &'d EventLog,
    pub(super) clock: &'d SharedClock,
    pub(super) witness: W,
}

/// What is done to many.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Replay,
    Drop { because: String },
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) dry_run: bool,
    /// Letters that were looked at.
    pub(super) matched: u64,
    /// Those of them that are no dead letters any more, or would be none.
    pub(super) done: u64,
    /// Those that stay, by why.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Whether there are more, for another call.
    pub(super) more: bool,
}

impl<W: Witness> Desk<'_, W> {
    /// Judges a letter again, with the sender that it came from, stores it as the event that it is, and removes it. Returns the
    /// event's id. One that is no event stays.
    pub(super) async fn replay(&self, letter: &KeptLetter) -> Result<Uuid, ApiError> {
        let name = action::DEAD_LETTER_REPLAYED;
        let error = match self.store(letter).await {
            Ok(event) => {
                self.remove(letter, name, json!({ "event": event })).await?;
                return Ok(event);
            }
            Err(error) => error,
        };
        let status = error.problem().status;
        let facts = self.witness.facts(name, (Outcome::Failure, status));
        let facts = changed(facts.because(error.code()), letter, json!({}));
        self.witness.record(facts).await?;
        Err(error)
    }

    /// Removes a letter. Its number stays filled.
    pub(super) async fn drop(&self, letter: &KeptLetter, because: &str) -> Result<(), ApiError> {
        let after = json!({ "because": because });
        self.remove(letter, action::DEAD_LETTER_DROPPED, after).await
    }

    /// Does it to all that `bulk` names, the latest first, at most `count_max`.
    pub(super) async fn act(&self, bulk: Bulk, act: &Act, count_max: u64) -> Result<Tally, ApiError> {
        let mut tally = Tally {
            dry_run: bulk.is_dry_run,
            ..Tally::default()
        };
        let mut wanted = Wanted::first_of(bulk.which);
        loop {
            let letters = self.log.dead_letters(&wanted).await;
            let letters = letters.map_err(|error| ApiError::from(&error))?;
            if letters.is_empty() {
                return Ok(tally);
            }
            for letter in letters.iter().take(wanted.limit.into()) {
                if tally.matched == count_max {
                    tally.more = true;
                    return Ok(tally);
                }
                tally.note(self.act_on(letter, act, tally.dry_run).await)?;
                wanted.after = Some(letter.place());
            }
        }
    }

    /// Does it to one.
    pub(super) async fn act_on_one(
        &self,
        letter: &KeptLetter,
        act: &Act,
        is_dry_run: bool,
    ) -> Result<Tally, ApiError> {
        let mut tally = Tally {
            dry_run: is_dry_run,
            ..Tally::default()
        };
        tally.note(self.act_on(letter, act, is_dry_run).await)?;
        Ok(tally)
    }

    async fn act_on(&self, letter: &KeptLetter, act: &Act, is_dry_run: bool) -> Result<(), ApiError> {
        match act {
            Act::Replay if is_dry_run => self.judge(letter).await.map(drop),
            Act::Replay => self.replay(letter).await.map(drop),
            Act::Drop { .. } if is_dry_run => Ok(()),
            Act::Drop { because } => self.drop(letter, because).await,
        }
    }

    /// The event that the letter is, unless it would only become a dead letter again. One of which only a part is kept is none.
    async fn judge(&self, letter: &KeptLetter) -> Result<Arrival, ApiError> {
        if !letter.is_whole() {
            return Err(ApiError::DeadLetterCut);
        }
        let arrival = match judge(letter.body.clone().into(), letter.publisher.clone()) {
            Judged::Event(arrival) => *arrival,
            Judged::Dead(dead) => return Err(ApiError::DeadLetterRefused(dead.reason)),
        };
        match self.log.clash(&arrival).await {
            Ok(None) => Ok(arrival),
            Ok(Some(reason)) => Err(ApiError::DeadLetterRefused(reason)),
            Err(error) => Err(ApiError::from(&error)),
        }
    }

    async fn store(&self, letter: &KeptLetter) -> Result<Uuid, ApiError> {
        let arrival = self.judge(letter).await?;
        let event = arrival.event.id;
        let storing = async {
            self.log.note_replay(event).await?;
            self.log.append(&[arrival], &[], self.clock.now()).await
        };
        match storing.await {
            Ok(_) => Ok(event),
            Err(error) if error.is_about_the_values() => Err(ApiError::DeadLetterRefused("unstorable")),
            Err(error) => Err(ApiError::from(&error)),
        }
    }

    /// Removes a letter and records it: neither happens without the other, unless the process dies between the two.
    async fn remove(&self, letter: &KeptLetter, name: &str, after: Value) -> Result<(), ApiError> {
        let removal = self.log.removal(letter.id).await;
        let tx = removal
            .map_err(|error| ApiError::from(&error))?
            .ok_or(ApiError::NoSuchDeadLetter)?;
        let facts = self.witness.facts(name, (Outcome::Success, StatusCode::OK));
        self.witness.record(changed(facts, letter, after)).await?;
        let committed = self.log.database().commit(tx).await;
        committed.map_err(|error| ApiError::from(&error))
    }
}

impl Tally {
    /// Notes what became of a letter; an error that is not about it ends the whole.
    fn note(&mut self, acted: Result<(), ApiError>) -> Result<(), ApiError> {
        match acted {
            Ok(()) => self.done += 1,
            // Somebody else was faster.
            Err(ApiError::NoSuchDeadLetter) => return Ok(()),
            Err(ApiError::DeadLetterRefused(reason)) => *self.refused.entry(reason).or_default() += 1,
            Err(error @ ApiError::DeadLetterCut) => *self.refused.entry(error.code()).or_default() += 1,
            Err(error) => return Err(error),
        }
        self.matched += 1;
        Ok(())
    }
}

fn changed(facts: Facts, letter: &KeptLetter, after: Value) -> Facts {
    facts
        .with_detail("before", letter.before())
        .with_detail("after", after)
}
