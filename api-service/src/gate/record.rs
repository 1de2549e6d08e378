//! The event of one request: begun when it arrives, written before the first byte of its answer leaves, and written
//! all the same if its client goes away first.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use http::request::Parts;
use serde_json::Value;
use shared::event::{Actor, Class, Door, Draft, Facts, Outcome, PolicyFacts, TokenFacts, action};
use shared::guard::Admitted;
use shared::http::serve::Flaw;
use shared::runtime::shutdown::TaskTrackerToken;
use shared::spool::{HandedOver, Reservation, Spool, SpoolError};
use shared::token::Objection;

use super::Gate;
use super::arrival::Arrival;
use super::ending::{CutOff, Passed};
use crate::policy::{Audit, Route, masked};

/// The event of a request that is not answered yet. Dropped unwritten, it is written as `client_gone`.
#[derive(Debug)]
pub(super) struct Record {
    gate: Arc<Gate>,
    /// When the request's head was read.
    started: Instant,
    /// Boxed, since it is large and moves with the request.
    draft: Box<Draft>,
    audit: Audit,
    held: Option<Reservation>,
    /// Whether an intent of the same id may be written.
    is_intended: bool,
    is_written: bool,
    /// Kept so that the end of the process waits for this event, and for that of its answer's end.
    _open: TaskTrackerToken,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<&'static str>,
    pub(super) status: StatusCode,
    pub(super) request_bytes: u64,
    /// `None` while the body still streams.
    pub(super) response_bytes: Option<u64>,
}

impl Record {
    /// Begins the event of a request.
    pub(super) fn begin(gate: Arc<Gate>, door: Door, arrival: &Arrival, parts: &Parts) -> Self {
        let mut facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error);
        facts.client = Some(arrival.client_facts(parts));
        facts.http = Some(arrival.http_facts(parts));
        facts.trace = Some(arrival.trace_facts(parts));
        facts.policy = Some(PolicyFacts {
            route: None,
            rule: None,
            door,
        });
        if let Some(query) = parts.uri.query() {
            facts = facts.with_detail("query", masked(query));
        }
        Self {
            started: arrival.started,
            draft: Box::new(Draft::undated(facts)),
            audit: Audit::Durable,
            held: None,
            is_intended: false,
            is_written: false,
            _open: gate.ends.token(),
            gate,
        }
    }

    /// Notes which route the request is for.
    pub(super) fn note_route(&mut self, route: &Route) {
        self.audit = route.audit;
        let facts = &mut self.draft.facts;
        if let Some(policy) = &mut facts.policy {
            policy.route = Some(route.name.clone());
            policy.rule = Some(route.rule.clone());
        }
        if let Some(http) = &mut facts.http {
            http.route = Some(route.template.clone());
        }
    }

    /// Notes who calls, by which token.
    pub(super) fn note_caller(&mut self, actor: Actor, token: Option<TokenFacts>) {
        self.draft.facts.actor = actor;
        self.draft.facts.token = token;
    }

    /// Notes by which decision of the enforcement log the request is refused.
    pub(super) fn note_decision(&mut self, decision: String) {
        self.note_detail("decision", decision);
    }

    /// Notes which limit the request is over.
    pub(super) fn note_limit(&mut self, name: &str) {
        self.note_detail("limit", name);
    }

    /// Notes by what less than certain knowledge the caller was let in: keys that could not be fetched again, revocations that
    /// were not heard of.
    pub(super) fn note_doubts(&mut self, caller: &Admitted) {
        if let Some(age) = caller.stale_keys_age {
            self.note_detail("keys_age_s", age.as_secs());
        }
        if caller.is_blind {
            self.note_detail("revocation", "blind");
        }
    }

    fn note_detail(&mut self, name: &str, value: impl Into<Value>) {
        let detail = &mut self.draft.facts.detail;
        detail.insert(name.to_owned(), value.into());
    }

    /// Notes why the request could be read in two ways.
    pub(super) fn note_flaw(&mut self, flaw: Flaw) {
        self.note_detail("flaw", flaw.code());
    }

    /// Holds room for the event before anything happens that must not go unrecorded, and writes an intent if the route asks for it.
    pub(super) async fn prepare(&mut self) -> Result<(), SpoolError> {
        if matches!(self.audit, Audit::Durable | Audit::FailClosed) {
            self.held = Some(self.gate.spool.reserve()?);
        }
        if self.audit == Audit::FailClosed {
            self.draft.facts.outcome = Outcome::Error;
            self.draft.facts.reason = Some("outcome_unknown".to_owned());
            self.draft.date(self.gate.spool.clock().now());
            // Before it is: whoever waits may go, and the intent is written all the same.
            self.is_intended = true;
            self.gate.spool.intend(&self.draft).await?;
        }
        Ok(())
    }

    /// Dates the event; the id of an intent stays.
    fn date(&mut self) {
        let now = self.gate.spool.clock().now();
        if self.is_intended {
            self.draft.time = now;
        } else {
            self.draft.date(now);
        }
    }

    /// Writes the event. An error means that the request must not be answered as decided.
    ///
    /// Dropped before the spool has the event, it is written as `client_gone`; dropped after, only its end is.
    pub(super) async fn write(mut self, answered: Answered) -> Result<Written, SpoolError> {
        self.note_answer(answered);
        self.date();
        let line = self.gate.access_log.line(&self.draft);
        let handed_over = hand_over(&self.gate.spool, &self.draft, self.audit, self.held.as_ref()).await;
        self.is_written = true;
        let mut written = Written {
            record: self,
            is_open: answered.response_bytes.is_none(),
        };
        let record = &written.record;
        let result = record.tolerated(until_written(handed_over).await);
        match &result {
            Ok(()) => record.gate.access_log.tell(line),
            Err(_) => record.tell_unrecorded(),
        }
        written.is_open &= result.is_ok();
        result.map(|()| written)
    }

    fn note_answer(&mut self, answered: Answered) {
        let elapsed = self.elapsed_us();
        let facts = &mut self.draft.facts;
        facts.outcome = answered.outcome;
        facts.reason = answered.reason.map(str::to_owned);
        if let Some(http) = &mut facts.http {
            http.status = Some(answered.status.as_u16());
            http.duration_us = Some(elapsed);
            http.request_bytes = Some(answered.request_bytes);
            http.response_bytes = answered.response_bytes;
        }
    }

    /// A best-effort route is answered all the same.
    fn tolerated(&self, result: Result<(), SpoolError>) -> Result<(), SpoolError> {
        match (result, self.audit) {
            (Err(error), Audit::BestEffort) => {
                tracing::debug!(%error, "a request of a best-effort route is not recorded");
                self.gate.shed.note(route_of(&self.draft), self.draft.time);
                Ok(())
            }
            (result, _) => result,
        }
    }

    /// What is not recorded is answered with 503, and the access log says so.
    fn tell_unrecorded(&self) {
        let mut facts = self.draft.facts.clone().because("audit_unavailable");
        facts.outcome = Outcome::Error;
        if let Some(http) = &mut facts.http {
            http.status = Some(StatusCode::SERVICE_UNAVAILABLE.as_u16());
            http.response_bytes = None;
        }
        let access_log = &self.gate.access_log;
        access_log.tell(access_log.line(&Draft::new(self.gate.spool.clock().now(), facts)));
    }

    /// Microseconds since the request arrived.
    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.is_written {
            return;
        }
        self.date();
        let elapsed = self.elapsed_us();
        let facts = &mut self.draft.facts;
        facts.reason = Some("client_gone".to_owned());
        facts.outcome = Outcome::Error;
        if let Some(http) = &mut facts.http {
            http.duration_us = Some(elapsed);
        }
        write_later(
            &self.gate,
            Draft::clone(&self.draft),
            self.audit,
            self.held.take(),
        );
    }
}

/// A written event, by which the end of a streaming answer is told. Dropped before that is told, the client has gone.
#[derive(Debug)]
pub(super) struct Written {
    record: Record,
    /// Whether a body streams whose end is not told yet.
    is_open: bool,
}

impl Written {
    /// Tells that the body ended after `response_bytes`; `cut` is why, if it did not end by itself.
    pub(super) fn end(&mut self, response_bytes: u64, cut: Option<CutOff>) {
        if !std::mem::replace(&mut self.is_open, false) {
            return;
        }
        let (outcome, reason, decision) = match cut {
            None => (Outcome::Success, None, None),
            Some(CutOff::Broken(reason)) => (Outcome::Error, Some(reason), None),
            Some(CutOff::Withdrawn(Objection { refusal, decision })) => {
                (Outcome::Denied, Some(refusal.code()), decision)
            }
        };
        let record = &mut self.record;
        let mut facts = Facts {
            action: action::API_RESPONSE_END.to_owned(),
            outcome,
            ..record.draft.facts.clone()
        };
        facts.reason = reason.map(str::to_owned);
        if let Some(decision) = decision {
            facts.detail.insert("decision".to_owned(), decision.into());
        }
        if let Some(http) = &mut facts.http {
            http.response_bytes = Some(response_bytes);
            http.duration_us = Some(record.elapsed_us());
        }
        let draft = Draft::new(record.gate.spool.clock().now(), facts);
        write_later(&record.gate, draft, record.audit, record.held.take());
    }

    /// Tells what passed after a switch to another protocol.
    pub(super) fn end_passed(&mut self, passed: Passed) {
        if let Some(http) = &mut self.record.draft.facts.http {
            http.request_bytes = Some(passed.request_bytes);
        }
        self.end(passed.response_bytes, passed.cut);
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.end(0, Some(CutOff::Broken("client_gone")));
    }
}

/// Writes an event that no answer waits for. The task is waited for at shutdown.
pub(super) fn write_later(gate: &Gate, draft: Draft, audit: Audit, held: Option<Reservation>) {
    let (spool, access_log, shed) = (gate.spool.clone(), gate.access_log.clone(), gate.shed.clone());
    gate.ends.spawn(async move {
        access_log.tell(access_log.line(&draft));
        let handed_over = hand_over(&spool, &draft, audit, held.as_ref()).await;
        if let Err(error) = until_written(handed_over).await {
            tracing::debug!(%error, "the end of a request could not be recorded");
            shed.note(route_of(&draft), draft.time);
        }
    });
}

fn route_of(draft: &Draft) -> Option<&str> {
    draft.facts.policy.as_ref()?.route.as_deref()
}

async fn hand_over(
    spool: &Spool,
    draft: &Draft,
    audit: Audit,
    held: Option<&Reservation>,
) -> Result<Option<HandedOver>, SpoolError> {
    match audit {
        Audit::Off => Ok(None),
        Audit::Durable | Audit::FailClosed | Audit::BestEffort => {
            spool.hand_over(draft, held).await.map(Some)
        }
    }
}

async fn until_written(handed_over: Result<Option<HandedOver>, SpoolError>) -> Result<(), SpoolError> {
    match handed_over? {
        Some(waiting) => waiting.written().await,
        None => Ok(()),
    }
}
