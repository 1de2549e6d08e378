//! The loop that has orders carried out, undone and watched, which every collector runs and one at a time leads.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{SharedClock, UtcMicros};
use shared::database::{DatabaseError, Hold, Task};
use shared::event::{Draft, action};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::auth::{Auth, DISABLED_BY_ANOTHER, NotDone};
use super::kept::{Kept, LIFTED_ELSEWHERE, State};
use super::meant::meant;
use super::metrics::ResponseMetrics;
use super::order::{Action, Order, Spared};
use super::store;
use super::watch::{self, Rounds};
use crate::alert;
use crate::event_log::EventLog;
use crate::leading::{self, Lead, Leader};

/// Leading the responses; see `sequencing` for the number.
const LEADING: Task = Task {
    lock: 0x6761_7465_6c6f_6709,
    frozen_after: Some("60s"),
};

/// The problem of an order about an address of which nothing but its pseudonym is known.
const ADDRESS_UNKNOWN: &str = "address_unknown";

/// The problem of a lock that has ended while another one of the same account is in force.
const STILL_LOCKED: &str = "still_locked";

/// The problem of a lock that has ended while the account is to stay disabled: an administrator has said so, before or meanwhile.
const STILL_DISABLED: &str = "still_disabled";

/// How often the leader looks for orders that others kept, and for refusals.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An order that could not be carried out for so long is given up: what it was to contain has happened.
const GIVE_UP_AFTER: Duration = Duration::from_mins(15);

/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// The span in which orders are counted.
pub(super) const LIMIT_SPAN: Duration = Duration::from_hours(1);

/// What carries orders out.
#[derive(Debug)]
pub struct Responder {
    pub(crate) log: EventLog,
    pub(crate) auth: Auth,
    pub(crate) spared: Arc<Spared>,
    /// Orders of rules in an hour.
    pub(crate) rules_max: u32,
    /// Told of orders that this collector kept.
    pub(crate) ordered: Arc<Notify>,
    pub(crate) spool: Spool,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: ResponseMetrics,
}

impl Leader for Responder {
    type Error = DatabaseError;

    fn task(&self) -> Task {
        LEADING
    }

    fn failure(&self) -> &'static str {
        "responses cannot be carried out"
    }

    async fn lead(&mut self, lead: &mut Lead) -> Result<(), DatabaseError> {
        let mut rounds = Rounds::default();
        while !lead.stop.is_cancelled() {
            self.step(&mut lead.hold, &mut rounds).await?;
            lead.is_well();
            lead.wait(timeout(LOOK_EVERY, self.ordered.notified())).await?;
        }
        Ok(())
    }
}

impl Responder {
    /// Leads, or waits to lead, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let database = self.log.database().clone();
        leading::run(self, database, stop).await;
    }

    async fn step(&self, hold: &mut Hold, rounds: &mut Rounds) -> Result<(), DatabaseError> {
        let database = self.log.database();
        for kept in watch::over(database, self.clock.now()).await? {
            self.note(hold, &kept, State::InForce, action::RESPONSE_CARRIED_OUT)
                .await?;
        }
        for mut kept in store::due(database, self.clock.now()).await? {
            let before = kept.state;
            if kept.state == State::Pending {
                self.enforce(hold, &mut kept).await?;
            } else {
                self.undo(&mut kept).await?;
            }
            self.note(hold, &kept, before, action::RESPONSE_CARRIED_OUT)
                .await?;
        }
        for kept in rounds.proved(database, self.clock.now()).await? {
            self.note(hold, &kept, State::InForce, action::RESPONSE_EFFECTIVE)
                .await?;
        }
        Ok(())
    }

    async fn enforce(&self, hold: &mut Hold, kept: &mut Kept) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        let alert = alert::read(self.log.database(), kept.fingerprint).await?;
        let evidence = alert.map(|alert| alert.evidence).unwrap_or_default();
        let Some(order) = meant(&self.log, &kept.order, &evidence).await? else {
            kept.refuse(ADDRESS_UNKNOWN);
            return Ok(());
        };
        if let Some(problem) = self.objection(hold, (kept, &order), now).await? {
            kept.refuse(problem);
            return Ok(());
        }
        match self.auth.enforce(kept, &order).await {
            Ok(decision) => {
                let now = self.clock.now();
                kept.state = State::InForce;
                kept.in_force_at = Some(now);
                kept.expires_at = kept.order.lifetime.map(|lifetime| now.plus(lifetime));
                kept.decision = decision;
            }
            Err(NotDone::Later(problem)) if now.since(kept.ordered_at) < GIVE_UP_AFTER => {
                tracing::warn!(response = %kept.id, problem, "a response is not carried out yet");
                put_off(kept, now);
            }
            Err(error) => {
                kept.state = State::Failed;
                kept.problem = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// Why an order is not even tried.
    async fn objection(
        &self,
        hold: &mut Hold,
        (kept, order): (&Kept, &Order),
        now: UtcMicros,
    ) -> Result<Option<&'static str>, DatabaseError> {
        if self.spared.covers(order) {
            return Ok(Some("spared"));
        }
        // Such as one that was kept while nobody could carry it out.
        if now.since(kept.ordered_at) >= GIVE_UP_AFTER && kept.attempts == 0 {
            return Ok(Some("too_late"));
        }
        if !kept.by_rule {
            return Ok(None);
        }
        let mut tx = hold.begin().await?;
        let counted = store::count_since(&mut tx, true, now.minus(LIMIT_SPAN)).await?;
        tx.commit().await?;
        Ok((counted.count >= i64::from(self.rules_max)).then_some("limit_reached"))
    }

    async fn undo(&self, kept: &mut Kept) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        if kept.problem.as_deref() == Some(LIFTED_ELSEWHERE) {
            kept.end(now);
            return Ok(());
        }
        // One account may be locked by several orders: the last one that ends enables it.
        let other = match kept.order.action {
            Action::LockAccount => store::other_lock(self.log.database(), kept).await?,
            _ => None,
        };
        if other == Some(State::InForce) {
            kept.problem = Some(STILL_LOCKED.to_owned());
            kept.end(now);
            return Ok(());
        }
        let undone = match other {
            None => self.auth.undo(kept).await,
            Some(_) => Err(NotDone::Later(
                "another order locks it, or is about to".to_owned(),
            )),
        };
        match undone {
            Ok(()) => kept.end(now),
            Err(NotDone::Refused(code)) if code == DISABLED_BY_ANOTHER => {
                kept.problem = Some(STILL_DISABLED.to_owned());
                kept.end(now);
            }
            Err(NotDone::Later(problem)) => {
                tracing::warn!(response = %kept.id, problem, "a response is not undone yet");
                put_off(kept, now);
            }
            Err(error) => {
                kept.state = State::Failed;
                kept.problem = Some(error.to_string());
            }
        }
        Ok(())
    }

    /// Keeps what became of an order, and tells it if it is another step than a further try.
    async fn note(
        &self,
        hold: &mut Hold,
        kept: &Kept,
        before: State,
        name: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = hold.begin().await?;
        // Somebody else may have taken it on: then that is told by whoever did.
        if !store::note(&mut tx, kept, before).await? {
            return tx.commit().await;
        }
        let is_told = kept.state != before || name == action::RESPONSE_EFFECTIVE;
        if is_told {
            let mut facts = kept.facts(name, Some(before));
            if let Some((event, _)) = kept.refusal {
                facts = facts.with_detail("refusal", event.to_string());
            }
            let draft = Draft::new(self.clock.now(), facts);
            if let Err(error) = self.spool.append(draft).await {
                tracing::error!(%error, response = %kept.id, "what became of a response could not be told");
            }
            tracing::warn!(
                response = %kept.id, action = kept.order.action.as_str(), state = kept.state.as_str(), problem = kept.problem,
                "response"
            );
        }
        tx.commit().await?;
        if kept.state != before {
            self.metrics.stepped(kept);
        }
        Ok(())
    }
}

fn put_off(kept: &mut Kept, now: UtcMicros) {
    let doubled = u32::try_from(kept.attempts).unwrap_or(u32::MAX).min(6);
    let wait = Duration::from_secs(1 << doubled).min(RETRY_MAX);
    kept.attempts += 1;
    kept.next_at = now.plus(wait);
}
