//! Failures that stay countable when there are many: the first of a minute are an event each, the rest one event with their
//! number. For those of which anybody can make as many as the network carries; what is charged to buckets is told one by one.
//!
//! A tally is committed with the failure that it counts, and its event with its end. So for every failure that was
//! answered, events and what still waits in tallies sum up exactly, whatever crashes: one for each event without a `count`,
//! and the `count` of the others.

mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Class, Facts, Outcome};

use super::bucket::network_of;
use crate::app::App;
use crate::error::ApiError;
use crate::outbox;

/// How long a tally goes on.
const INTERVAL: Duration = Duration::from_mins(1);

/// Failures of an interval that are an event each.
const TOLD_EACH: i64 = 20;

/// Tallies of one action and reason at most. Networks, and who is claimed from there, are spread over them: no flood from many is
/// a flood of rows, and whoever wants to hide one name must fail with thousands of others.
const SLOTS: u16 = 1024;

/// What was counted in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    began_at: UtcMicros,
    /// Failures that had their own event.
    told: i64,
    /// Failures that had not.
    untold: i64,
}

/// What becomes of one more failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// The interval that ended by it, if anything of it is still to be told.
    ended: Option<Tally>,
    is_told: bool,
    next: Tally,
}

impl Tally {
    fn add(self, now: UtcMicros) -> Step {
        let is_over = self.began_at.plus(INTERVAL) <= now;
        let present = if is_over {
            Self {
                began_at: now,
                told: 0,
                untold: 0,
            }
        } else {
            self
        };
        let is_told = present.told < TOLD_EACH;
        Step {
            ended: (is_over && self.untold > 0).then_some(self),
            is_told,
            next: Self {
                told: present.told + i64::from(is_told),
                untold: present.untold + i64::from(!is_told),
                ..present
            },
        }
    }

    fn facts(self, (action, reason): (&str, &str), network: &str) -> Facts {
        Facts::new(Class::Auth, action, Outcome::Failure)
            .because(reason)
            .with_detail("count", self.untold)
            .with_detail("since", self.began_at.to_string())
            .with_detail("until", self.began_at.plus(INTERVAL).to_string())
            .with_detail("last_network", network)
    }
}

/// Records a failure: as an event, or as one of many.
pub(crate) async fn record(tx: &mut Tx<'_>, app: &App, facts: Facts) -> Result<(), ApiError> {
    let now = app.now();
    let ip = facts.client.as_ref().and_then(|client| client.ip.as_deref());
    let network = network_of(ip.unwrap_or_default());
    let client = facts.actor.client_id.as_deref().unwrap_or_default();
    let user = facts.actor.sub.as_deref().unwrap_or_default();
    let slot = app.bucket_key.slot(&[&network, client, user].join("\0"), SLOTS);
    let what = (facts.action.as_str(), facts.reason.as_deref().unwrap_or_default());
    let id = format!("{}-{}-{slot}", what.0, what.1);
    let tally = store::lock(tx, &id, what, &network, now).await?;
    let step = tally.add(now);
    store::set(tx, &id, step.next).await?;
    if let Some(ended) = step.ended {
        outbox::append(tx, now, ended.facts(what, &network)).await?;
    }
    if step.is_told {
        outbox::append(tx, now, facts).await?;
    }
    Ok(())
}

/// Tells what is still to be told of the intervals that are over.
pub(super) async fn tell(app: &App) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    for ended in store::take_ended(&mut tx, now.minus(INTERVAL)).await? {
        let tally = ended.tally();
        if tally.untold > 0 {
            let facts = tally.facts((&ended.action, &ended.reason), &ended.network);
            outbox::append(&mut tx, now, facts).await?;
        }
    }
    Ok(app.database.commit(tx).await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_told_and_what_waits_is_every_failure(
            distances in prop::collection::vec(0_u64..4_000, 1..400),
        ) {
            let mut now = UtcMicros::from_seconds(1_800_000_000);
            let mut tally = Tally { began_at: now, told: 0, untold: 0 };
            let (mut each, mut together) = (0, 0);
            for distance in &distances {
                now = now.plus(Duration::from_millis(*distance));
                let step = tally.add(now);
                each += i64::from(step.is_told);
                together += step.ended.map_or(0, |ended| ended.untold);
                prop_assert!(step.next.told <= TOLD_EACH);
                tally = step.next;
            }

            let counted = each + together + tally.untold;
            prop_assert_eq!(counted, i64::try_from(distances.len()).unwrap());
        }
    }
}
