//! An order that was given, what became of it, and what readers and events are told of it. Pure.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::event::{Class, Facts, Outcome, event_id};
use uuid::Uuid;

use super::order::Order;
use crate::detection::engine::Fingerprint;

/// The problem of an order that somebody has ended at auth-service.
pub(super) const LIFTED_ELSEWHERE: &str = "lifted_elsewhere";

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// auth-service has not answered yet.
    Pending,
    /// It is carried out.
    InForce,
    /// It was not even tried: too many, or of somebody who is spared.
    Refused,
    /// auth-service would not, or could not be reached for too long.
    Failed,
    /// It is being undone.
    Lifting,
    /// It was undone.
    Lifted,
    /// Its time was over.
    Expired,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Pending,
        Self::InForce,
        Self::Refused,
        Self::Failed,
        Self::Lifting,
        Self::Lifted,
        Self::Expired,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InForce => "in_force",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Lifting => "lifting",
            Self::Lifted => "lifted",
            Self::Expired => "expired",
        }
    }

    /// The database takes no other words.
    pub(super) fn parse(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == word);
        known.unwrap_or(Self::Failed)
    }
}

/// An order with what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(super) id: Uuid,
    pub(super) fingerprint: Fingerprint,
    /// The alert's rule.
    pub(super) rule: String,
    /// When what is responded to happened.
    pub(super) fired_at: UtcMicros,
    pub(super) order: Order,
    pub(super) reason: String,
    pub(super) author: String,
    pub(super) by_rule: bool,
    pub(super) ordered_at: UtcMicros,
    pub(super) state: State,
    pub(super) attempts: i64,
    pub(super) next_at: UtcMicros,
    pub(super) decision: Option<String>,
    pub(super) in_force_at: Option<UtcMicros>,
    pub(super) expires_at: Option<UtcMicros>,
    pub(super) ended_at: Option<UtcMicros>,
    pub(super) ended_by: Option<String>,
    /// Why it was refused, has failed, or has ended otherwise than one would think: a code, and after a colon what auth-service said.
    pub(super) problem: Option<String>,
    /// The first refusal of a door that it led to.
    pub(super) refusal: Option<(Uuid, UtcMicros)>,
}

/// An order as it is given, by a person or a rule.
pub(super) struct Given {
    pub(super) fingerprint: Fingerprint,
    /// The alert's rule.
    pub(super) rule: String,
    /// When what is responded to happened.
    pub(super) fired_at: UtcMicros,
    pub(super) order: Order,
    pub(super) reason: String,
    pub(super) author: String,
    pub(super) by_rule: bool,
}

impl Given {
    /// What is kept of it: nothing has been done yet.
    pub(super) fn at(self, now: UtcMicros) -> Kept {
        Kept {
            id: event_id(now),
            fingerprint: self.fingerprint,
            rule: self.rule,
            fired_at: self.fired_at,
            order: self.order,
            reason: self.reason,
            author: self.author,
            by_rule: self.by_rule,
            ordered_at: now,
            state: State::Pending,
            attempts: 0,
            next_at: now,
            decision: None,
            in_force_at: None,
            expires_at: None,
            ended_at: None,
            ended_by: None,
            problem: None,
            refusal: None,
        }
    }
}

/// As readers get it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResponseBody {
    id: Uuid,
    action: &'static str,
    value: String,
    reason: String,
    author: String,
    by_rule: bool,
    ordered_at: UtcMicros,
    state: State,
    in_force_at: Option<UtcMicros>,
    /// From the event that the rule fired with to the order being in force, in microseconds.
    contained_after_us: Option<u64>,
    expires_at: Option<UtcMicros>,
    ended_at: Option<UtcMicros>,
    ended_by: Option<String>,
    problem: Option<String>,
    /// By what name refusals of the doors know it (`detail.decision`).
    decision: Option<String>,
    first_refusal: Option<Refusal>,
}

/// The first refusal of a door that an order led to.
#[derive(Clone, Debug, Serialize)]
struct Refusal {
    event: Uuid,
    at: UtcMicros,
    /// From the event that the rule fired with, in microseconds.
    after_us: u64,
}

impl Kept {
    /// As readers get it.
    pub(crate) fn body(self) -> ResponseBody {
        let since_alert = |at: UtcMicros| micros(at.since(self.fired_at));
        ResponseBody {
            action: self.order.action.as_str(),
            contained_after_us: self.in_force_at.map(since_alert),
            first_refusal: self.refusal.map(|(event, at)| Refusal {
                event,
                at,
                after_us: since_alert(at),
            }),
            id: self.id,
            value: self.order.value,
            reason: self.reason,
            author: self.author,
            by_rule: self.by_rule,
            ordered_at: self.ordered_at,
            state: self.state,
            in_force_at: self.in_force_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            ended_by: self.ended_by,
            problem: self.problem,
            decision: self.decision,
        }
    }

    /// It has ended, and nothing more is to be done.
    pub(super) fn end(&mut self, now: UtcMicros) {
        let is_over = self.ended_by.is_none();
        self.state = if is_over { State::Expired } else { State::Lifted };
        self.ended_at = Some(now);
    }

    /// It is not even tried.
    pub(super) fn refuse(&mut self, problem: &str) {
        self.state = State::Refused;
        self.problem = Some(problem.to_owned());
    }

    /// The event of a step, taken by the collector itself.
    pub(super) fn facts(&self, action: &str, before: Option<State>) -> Facts {
        let outcome = match self.state {
            State::Failed | State::Refused => Outcome::Failure,
            _ => Outcome::Success,
        };
        let facts = Facts::new(Class::Alert, action, outcome);
        let facts = match &self.problem {
            Some(problem) => {
                let code = problem.split(':').next().unwrap_or_default();
                facts.because(code).with_detail("problem", problem.as_str())
            }
            None => facts,
        };
        self.told(facts, before)
    }

    /// Adds what every event about an order says.
    pub(super) fn told(&self, facts: Facts, before: Option<State>) -> Facts {
        let facts = facts
            .with_detail("fingerprint", self.fingerprint.to_string())
            .with_detail("rule", self.rule.as_str())
            .with_detail("response", self.id.to_string())
            .with_detail("order", self.order.action.as_str())
            .with_detail("value", self.order.value.as_str())
            .with_detail("by", self.author.as_str())
            .with_detail("before", before.map_or(Value::Null, |state| json!(state)))
            .with_detail("after", json!(self.state));
        match &self.decision {
            Some(decision) => facts.with_detail("decision", decision.as_str()),
            None => facts,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
