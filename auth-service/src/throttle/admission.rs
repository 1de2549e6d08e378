//! A try, from its admission to its end.
//!
//! Each bucket is charged before the work is done. What succeeds is given back; what fails stays charged; what came to no
//! end, because of a fault of ours, is given back as well.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Facts, Identity, Outcome, action};

use super::bucket::{Bucket, Kind};
use super::rule::{Rule, State, Verdict};
use super::store::{self, Next, Stored};
use super::tally;
use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::request::RequestContext;

/// How long it is not told again that a bucket refuses.
const TOLD_EVERY: Duration = Duration::from_hours(1);

/// A try that was admitted. It must end: by [`Try::succeeded`], [`Try::failed`] or [`Try::came_to_nothing`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Try {
    charges: Vec<Charge>,
    /// Buckets that a success clears although they were not charged.
    also_cleared: Vec<Bucket>,
}

#[derive(Debug)]
struct Charge {
    bucket: Bucket,
    former: Stored,
    state: State,
    /// Whether it refuses from now on, and this was not told for a while.
    is_to_be_told: bool,
    admits_at: UtcMicros,
}

/// Charges every bucket, or none and refuses.
pub(crate) async fn admit(
    app: &App,
    context: &RequestContext,
    mut buckets: Vec<Bucket>,
    also_cleared: Vec<Bucket>,
) -> Result<Try, ApiError> {
    // Always in the same order, so that no two wait for each other.
    buckets.sort_by(|left, right| left.id.cmp(&right.id));
    let now = app.now();
    // Asked without a lock first: what is refused writes nothing.
    let mut tx = app.database.read().await?;
    for bucket in &buckets {
        let stored = store::read(&mut tx, &bucket.id, now).await?;
        if let Verdict::Refuse(wait) = bucket.kind.rule().decide(stored.state, now) {
            return Err(refuse(app, context, bucket.kind, wait));
        }
    }
    drop(tx);
    let mut tx = app.database.write().await?;
    let mut charges = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let stored = store::lock(&mut tx, &bucket, now).await?;
        match bucket.kind.rule().decide(stored.state, now) {
            Verdict::Admit(state) => charges.push(Charge::of(bucket, &stored, state, now)),
            Verdict::Refuse(wait) => return Err(refuse(app, context, bucket.kind, wait)),
        }
    }
    for charge in &charges {
        store::set(&mut tx, &charge.bucket.id, &charge.next(now)).await?;
    }
    app.database.commit(tx).await?;
    Ok(Try {
        charges,
        also_cleared,
    })
}

fn refuse(app: &App, context: &RequestContext, kind: Kind, wait: Duration) -> ApiError {
    app.refusals.count(kind, context.client.ip.as_deref());
    ApiError::TooManyAttempts(wait)
}

impl Charge {
    fn of(bucket: Bucket, stored: &Stored, state: State, now: UtcMicros) -> Self {
        let admits_at = bucket.kind.rule().admits_at(state);
        Self {
            is_to_be_told: admits_at > now && stored.told_at.plus(TOLD_EVERY) <= now,
            bucket,
            former: *stored,
            state,
            admits_at,
        }
    }

    fn next(&self, now: UtcMicros) -> Next {
        Next {
            stored: Stored {
                state: self.state,
                told_at: if self.is_to_be_told {
                    now
                } else {
                    self.former.told_at
                },
            },
            admits_at: self.admits_at,
            forget_at: self.bucket.kind.forget_at(self.state.mark, now),
        }
    }

    async fn give_back(&self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        let id = &self.bucket.id;
        match self.bucket.kind.rule() {
            Rule::Backoff { .. } => {
                store::give_back_in_a_row(tx, id, self.state.mark, self.former.state.mark).await?;
            }
            Rule::Rate { every, .. } => {
                let micros = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
                store::give_back_rate(tx, id, micros).await?;
            }
        }
        Ok(())
    }

    /// The event that tells of a bucket that begins to refuse.
    fn facts(&self, context: &RequestContext, actor: Actor) -> Facts {
        let action = if self.bucket.kind.is_in_a_row() {
            action::AUTHN_LOGIN_LOCK
        } else {
            action::EXCESS_RATE_LIMIT_EXCEEDED
        };
        context
            .facts(Class::Auth, action, Outcome::Denied, actor)
            .because(self.bucket.kind.as_str())
            .with_detail("lockout_id", self.bucket.id.as_str())
            .with_detail("subject", self.bucket.subject.clone())
            .with_detail("failures", self.state.failures)
            .with_detail("refused_until", self.admits_at.to_string())
    }
}

impl Try {
    /// Ends what was counted in a row, and gives back what the addresses were charged. What others failed at from the same
    /// address stays counted: a password of one's own is no way to try those of others.
    pub(crate) async fn succeeded(self, app: &App) -> Result<(), ApiError> {
        let mut tx = app.database.write().await?;
        for charge in &self.charges {
            if charge.bucket.kind.is_in_a_row() {
                store::delete(&mut tx, &charge.bucket.id).await?;
            } else {
                charge.give_back(&mut tx).await?;
            }
        }
        for bucket in &self.also_cleared {
            store::delete(&mut tx, &bucket.id).await?;
        }
        Ok(app.database.commit(tx).await?)
    }

    /// Records the failure that `facts` tell, and that a bucket refuses from now on.
    pub(crate) async fn failed(
        self,
        app: &App,
        context: &RequestContext,
        facts: Facts,
    ) -> Result<(), ApiError> {
        let now = app.now();
        let actor = facts.actor.clone();
        let mut tx = app.database.write().await?;
        tally::record(&mut tx, app, facts).await?;
        for charge in self.charges.iter().filter(|charge| charge.is_to_be_told) {
            let actor = match charge.bucket.kind {
                Kind::Host | Kind::Network => Actor::default(),
                _ => Actor {
                    identity: Identity::Claimed,
                    ..actor.clone()
                },
            };
            outbox::append(&mut tx, now, charge.facts(context, actor)).await?;
        }
        Ok(app.database.commit(tx).await?)
    }

    /// Gives everything back: nothing was tried, by a fault of ours.
    pub(crate) async fn came_to_nothing(self, app: &App) -> Result<(), ApiError> {
        let mut tx = app.database.write().await?;
        for charge in &self.charges {
            charge.give_back(&mut tx).await?;
        }
        Ok(app.database.commit(tx).await?)
    }
}
