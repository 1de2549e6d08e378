//! The event of one request: begun when it arrives, written before the first byte of its answer leaves, and written
//! all the same if its client goes away first.

use std::sync::Arc;

use http::StatusCode;
use shared::event::{
    Actor, Class, Door as WhichDoor, Draft, Facts, HttpFacts, Outcome, PolicyFacts, TokenFacts, action,
};
use shared::spool::{Spool, SpoolError};

use super::Door;
use super::arrival::Arrival;
use crate::policy::{Audit, Route, masked};

/// The event of a request that is not answered yet. Dropped unwritten, it is written as `client_gone`.
#[derive(Debug)]
pub(super) struct Record {
    door: Arc<Door>,
    arrival: Arrival,
    facts: Facts,
    audit: Audit,
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
    pub(super) fn begin(door: Arc<Door>, arrival: Arrival, query: Option<&str>) -> Self {
        let mut facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error);
        facts.client = Some(arrival.client_facts());
        facts.trace = Some(arrival.trace_facts());
        facts.policy = Some(PolicyFacts {
            route: None,
            rule: None,
            door: WhichDoor::Proxy,
        });
        if let Some(query) = query {
            facts = facts.with_detail("query", masked(query));
        }
        Self {
            door,
            arrival,
            facts,
            audit: Audit::Durable,
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

    /// Writes the event. An error means that the request must not be answered as decided.
    pub(super) async fn write(mut self, answered: Answered) -> Result<Written, SpoolError> {
        self.is_written = true;
        self.facts.outcome = answered.outcome;
        self.facts.reason = answered.reason.map(str::to_owned);
        self.facts.http = Some(HttpFacts {
            status: Some(answered.status.as_u16()),
            duration_us: Some(self.arrival.elapsed_us()),
            request_bytes: Some(answered.request_bytes),
            response_bytes: answered.response_bytes,
            ..self.http()
        });
        let written = Written {
            door: Arc::clone(&self.door),
            arrival: self.arrival.clone(),
            facts: self.facts.clone(),
            audit: self.audit,
        };
        append(&self.door.spool, self.facts.clone(), self.audit).await?;
        Ok(written)
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
        facts.http = Some(HttpFacts {
            duration_us: Some(self.arrival.elapsed_us()),
            ..self.http()
        });
        write_later(&self.door, facts, self.audit);
    }
}

/// What the end of a streaming answer is told with.
#[derive(Debug)]
pub(super) struct Written {
    door: Arc<Door>,
    arrival: Arrival,
    facts: Facts,
    audit: Audit,
}

impl Written {
    /// Tells that the body ended after `response_bytes`; `broken` is why, if it did not end by itself.
    pub(super) fn end(&self, response_bytes: u64, broken: Option<&'static str>) {
        let outcome = if broken.is_some() {
            Outcome::Error
        } else {
            Outcome::Success
        };
        let mut facts = Facts {
            action: action::API_RESPONSE_END.to_owned(),
            outcome,
            ..self.facts.clone()
        };
        facts.reason = broken.map(str::to_owned);
        if let Some(http) = &mut facts.http {
            http.response_bytes = Some(response_bytes);
            http.duration_us = Some(self.arrival.elapsed_us());
        }
        write_later(&self.door, facts, self.audit);
    }
}

/// Writes an event that no answer waits for. The task is waited for at shutdown.
fn write_later(door: &Arc<Door>, facts: Facts, audit: Audit) {
    let spool = door.spool.clone();
    door.ends.spawn(async move {
        if let Err(error) = append(&spool, facts, audit).await {
            tracing::error!(%error, "the end of a request could not be recorded");
        }
    });
}

async fn append(spool: &Spool, facts: Facts, audit: Audit) -> Result<(), SpoolError> {
    match audit {
        Audit::Off => Ok(()),
        Audit::Durable => spool.append(Draft::new(spool.clock().now(), facts)).await,
        Audit::BestEffort => {
            if let Err(error) = spool.append(Draft::new(spool.clock().now(), facts)).await {
                tracing::error!(%error, "a request of a best-effort route is not recorded");
            }
            Ok(())
        }
    }
}
