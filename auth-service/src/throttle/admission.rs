//! A try, from its admission to its end.
//!
//! Each bucket is charged before the work is done. What succeeds is given back; what fails stays charged; what came to no
//! end, because of a fault of ours, is given back as well.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Facts, Identity, Outcome, action};

use super::bucket::{Bucket, Kind};
use super::rule::{State, Verdict};
use super::store::{self, Next, Stored};
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
    let refused = |(kind, wait)| refuse(app, context, kind, wait);
    let buckets: Vec<_> = buckets.iter().collect();
    // Without a lock first while others are refused: a flood of refusals must not keep those waiting who are admitted.
    if app.refusals.are_happening() {
        let stored = store::read(&app.database, &buckets, now).await?;
        charge(&buckets, &stored, now).map_err(refused)?;
    }
    let mut tx = app.database.write().await?;
    let stored = store::lock(&mut tx, &buckets, now).await?;
    let charges = charge(&buckets, &stored, now).map_err(refused)?;
    let changes: Vec<_> = charges.iter().map(|charge| charge.change(now)).collect();
    store::set(&mut tx, &changes).await?;
    // Not a commit that others act on: it has no event.
    tx.commit().await?;
    Ok(Try {
        charges,
        also_cleared,
    })
}

/// The charges of buckets that are as `stored`; or the first that refuses, and for how long.
fn charge(buckets: &[&Bucket], stored: &[Stored], now: UtcMicros) -> Result<Vec<Charge>, (Kind, Duration)> {
    let each = buckets.iter().zip(stored);
    each.map(
        |(bucket, stored)| match bucket.kind.rule().decide(stored.state, now) {
            Verdict::Admit(state) => Ok(Charge::of(bucket, stored, state, now)),
            Verdict::Refuse(wait) => Err((bucket.kind, wait)),
        },
    )
    .collect()
}

fn refuse(app: &App, context: &RequestContext, kind: Kind, wait: Duration) -> ApiError {
    app.refusals.count(kind, context.client.ip.as_deref());
    ApiError::TooManyAttempts(wait)
}

impl Charge {
    fn of(bucket: &Bucket, stored: &Stored, state: State, now: UtcMicros) -> Self {
        let admits_at = bucket.kind.rule().admits_at(state);
        Self {
            is_to_be_told: admits_at > now && stored.told_at.plus(TOLD_EVERY) <= now,
            bucket: bucket.clone(),
            former: *stored,
            state,
            admits_at,
        }
    }

    fn change(&self, now: UtcMicros) -> (&Bucket, Next) {
        let told_at = if self.is_to_be_told {
            now
        } else {
            self.former.told_at
        };
        let stored = Stored {
            state: self.state,
            told_at,
        };
        (&self.bucket, next(self.bucket.kind, stored, now))
    }

    /// What is left of a bucket without this charge.
    fn given_back(&self, present: Stored) -> Stored {
        let rule = self.bucket.kind.rule();
        Stored {
            state: rule.give_back(present.state, self.former.state, self.state),
            ..present
        }
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

/// What is written of a bucket that becomes `stored`.
fn next(kind: Kind, stored: Stored, now: UtcMicros) -> Next {
    Next {
        stored,
        admits_at: kind.rule().admits_at(stored.state),
        forget_at: kind.forget_at(stored.state, now),
    }
}

impl Try {
    /// Ends what was counted in a row, and gives back what the addresses were charged. What others failed at from the same
    /// address stays counted: a password of one's own is no way to try those of others.
    ///
    /// Call it last in the transaction of what the success opens, which has locked the user before: everybody waits for the
    /// buckets of an address, and the shorter the better.
    pub(crate) async fn succeeded(&self, tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), ApiError> {
        let charged = self.charges.iter().map(|charge| (&charge.bucket, Some(charge)));
        let cleared = self.also_cleared.iter().map(|bucket| (bucket, None));
        let each = charged.chain(cleared).collect();
        settle(tx, each, now, |charge, present| match charge {
            Some(charge) if !charge.bucket.kind.is_in_a_row() => charge.given_back(present),
            _ => Stored::FRESH,
        })
        .await
    }

    /// Records the failure that `facts` tell, and that a bucket refuses from now on. Each failure is an event of its own, so that
    /// nobody hides a name among others: the buckets bound how many there are.
    pub(crate) async fn failed(
        self,
        app: &App,
        context: &RequestContext,
        facts: Facts,
    ) -> Result<(), ApiError> {
        let now = app.now();
        let actor = facts.actor.clone();
        let mut tx = app.database.write().await?;
        outbox::append(&mut tx, now, facts).await?;
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
    pub(crate) async fn came_to_nothing(&self, app: &App) -> Result<(), ApiError> {
        let each = self.charges.iter().map(|charge| (&charge.bucket, Some(charge)));
        let mut tx = app.database.write().await?;
        settle(&mut tx, each.collect(), app.now(), |charge, present| {
            charge.map_or(present, |charge| charge.given_back(present))
        })
        .await?;
        Ok(tx.commit().await?)
    }
}

/// Makes of each bucket what `end` makes of its charge and of what it is at present. What becomes as fresh as one that was never
/// used stays until the next upkeep: to delete it would be one more statement.
async fn settle(
    tx: &mut Tx<'_>,
    mut each: Vec<(&Bucket, Option<&Charge>)>,
    now: UtcMicros,
    end: impl Fn(Option<&Charge>, Stored) -> Stored,
) -> Result<(), ApiError> {
    each.sort_by(|(left, _), (right, _)| left.id.cmp(&right.id));
    let buckets: Vec<_> = each.iter().map(|(bucket, _)| *bucket).collect();
    let present = store::lock(tx, &buckets, now).await?;
    let changes: Vec<_> = each
        .iter()
        .zip(present)
        .map(|((bucket, charge), present)| (*bucket, next(bucket.kind, end(*charge, present), now)))
        .collect();
    Ok(store::set(tx, &changes).await?)
}
