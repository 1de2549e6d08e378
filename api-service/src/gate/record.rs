//! The event of one request: begun when it arrives, written before the first byte of its answer leaves, and written
//! all the same if its client goes away first.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use shared::event::{Actor, Class, Door, Draft, Facts, HttpFacts, Outcome, PolicyFacts, TokenFacts, action};
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
    arrival: Arrival,
    facts: Facts,
    audit: Audit,
    held: Option<Reservation>,
    /// Kept so that the end of the process waits for this event.
    open: TaskTrackerToken,
    is_written: bool,
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
    pub(super) fn begin(gate: Arc<Gate>, door: Door, arrival: Arrival, query: Option<&str>) -> Self {
        let mut facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error);
        facts.client = Some(arrival.client_facts());
        facts.trace = Some(arrival.trace_facts());
        facts.policy = Some(PolicyFacts {
            route: None,
            rule: None,
            door,
        });
        if let Some(query) = query {
            facts = facts.with_detail("query", masked(query));
        }
        let open = gate.ends.token();
        Self {
            gate,
            arrival,
            facts,
            audit: Audit::Durable,
            held: None,
            open,
            is_written: false,
        }
    }

    /// Notes which route the request is for.
    pub(super) fn note_route(&mut self, route: &Route) {
        self.audit = route.audit;
        if let Some(policy) = &mut self.facts.policy {
            policy.route = Some(route.name.clone());
            policy.rule = Some(route.allow.to_string());
        }
        self.facts.http = Some(HttpFacts {
            route: Some(route.template.clone()),
            ..self.arrival.http_facts()
        });
    }

    /// Notes who calls, by which token.
    pub(super) fn note_caller(&mut self, actor: Actor, token: Option<TokenFacts>) {
        self.facts.actor = actor;
        self.facts.token = token;
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
        self.facts.detail.insert(name.to_owned(), value.into());
    }

    /// Notes why the request could be read in two ways.
    pub(super) fn note_flaw(&mut self, flaw: Flaw) {
        self.facts.detail.insert("flaw".to_owned(), flaw.code().into());
    }

    /// Holds room for the event before anything happens that must not go unrecorded.
    pub(super) fn hold_room(&mut self) -> Result<(), SpoolError> {
        if self.audit == Audit::Durable {
            self.held = Some(self.gate.spool.reserve()?);
        }
        Ok(())
    }

    /// Writes the event. An error means that the request must not be answered as decided.
    ///
    /// Dropped before the spool has the event, it is written as `client_gone`; dropped after, only its end is.
    pub(super) async fn write(mut self, answered: Answered) -> Result<Written, SpoolError> {
        self.facts.outcome = answered.outcome;
        self.facts.reason = answered.reason.map(str::to_owned);
        self.facts.http = Some(HttpFacts {
            status: Some(answered.status.as_u16()),
            duration_us: Some(self.arrival.elapsed_us()),
            request_bytes: Some(answered.request_bytes),
            response_bytes: answered.response_bytes,
            ..self.http()
        });
        let draft = Draft::new(self.gate.spool.clock().now(), self.facts.clone());
        let line = self.gate.access_log.line(&draft);
        let handed_over = hand_over(&self.gate.spool, draft, self.audit, self.held.as_ref()).await;
        self.is_written = true;
        let mut written = Written {
            gate: Arc::clone(&self.gate),
            arrival: self.arrival.clone(),
            facts: self.facts.clone(),
            audit: self.audit,
            held: self.held.take(),
            is_open: answered.response_bytes.is_none(),
            _open: self.open.clone(),
        };
        let result = tolerated(until_written(handed_over).await, self.audit);
        written.is_open &= result.is_ok();
        match &result {
            Ok(()) => self.gate.access_log.tell(line),
            Err(_) => self.tell_unrecorded(),
        }
        result.map(|()| written)
    }

    /// What is not recorded is answered with 503, and the access log says so.
    fn tell_unrecorded(&self) {
        let mut facts = self.facts.clone().because("audit_unavailable");
        facts.outcome = Outcome::Error;
        facts.http = Some(HttpFacts {
            status: Some(StatusCode::SERVICE_UNAVAILABLE.as_u16()),
            response_bytes: None,
            ..self.http()
        });
        let access_log = &self.gate.access_log;
        access_log.tell(access_log.line(&Draft::new(self.gate.spool.clock().now(), facts)));
    }

    fn http(&self) -> HttpFacts {
        self.facts
            .http
            .clone()
            .unwrap_or_else(|| self.arrival.http_facts())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.is_written {
            return;
        }
        let mut facts = self.facts.clone().because("client_gone");
        facts.outcome = Outcome::Error;
        facts.http = Some(HttpFacts {
            duration_us: Some(self.arrival.elapsed_us()),
            ..self.http()
        });
        write_later(&self.gate, facts, self.audit, self.held.take());
    }
}

/// What the end of a streaming answer is told with. Dropped before it is told, the client has gone.
#[derive(Debug)]
pub(super) struct Written {
    gate: Arc<Gate>,
    arrival: Arrival,
    facts: Facts,
    audit: Audit,
    held: Option<Reservation>,
    /// Whether a body streams whose end is not told yet.
    is_open: bool,
    /// Kept so that the end of the process waits for that end.
    _open: TaskTrackerToken,
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
        let mut facts = Facts {
            action: action::API_RESPONSE_END.to_owned(),
            outcome,
            ..self.facts.clone()
        };
        facts.reason = reason.map(str::to_owned);
        if let Some(decision) = decision {
            facts.detail.insert("decision".to_owned(), decision.into());
        }
        if let Some(http) = &mut facts.http {
            http.response_bytes = Some(response_bytes);
            http.duration_us = Some(self.arrival.elapsed_us());
        }
        write_later(&self.gate, facts, self.audit, self.held.take());
    }
}

impl Written {
    /// Tells what passed after a switch to another protocol.
    pub(super) fn end_passed(&mut self, passed: Passed) {
        if let Some(http) = &mut self.facts.http {
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
pub(super) fn write_later(gate: &Gate, facts: Facts, audit: Audit, held: Option<Reservation>) {
    let (spool, access_log) = (gate.spool.clone(), gate.access_log.clone());
    gate.ends.spawn(async move {
        let draft = Draft::new(spool.clock().now(), facts);
        access_log.tell(access_log.line(&draft));
        let handed_over = hand_over(&spool, draft, audit, held.as_ref()).await;
        if let Err(error) = until_written(handed_over).await {
            tracing::error!(%error, "the end of a request could not be recorded");
        }
    });
}

async fn hand_over(
    spool: &Spool,
    draft: Draft,
    audit: Audit,
    held: Option<&Reservation>,
) -> Result<Option<HandedOver>, SpoolError> {
    match audit {
        Audit::Off => Ok(None),
        Audit::Durable | Audit::BestEffort => spool.hand_over(draft, held).await.map(Some),
    }
}

async fn until_written(handed_over: Result<Option<HandedOver>, SpoolError>) -> Result<(), SpoolError> {
    match handed_over? {
        Some(waiting) => waiting.written().await,
        None => Ok(()),
    }
}

/// A best-effort route is answered all the same.
fn tolerated(result: Result<(), SpoolError>, audit: Audit) -> Result<(), SpoolError> {
    match (result, audit) {
        (Err(error), Audit::BestEffort) => {
            tracing::error!(%error, "a request of a best-effort route is not recorded");
            Ok(())
        }
        (result, _) => result,
    }
}
