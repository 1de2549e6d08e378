//! One request, from its arrival to its answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body::Body as _;
use shared::event::Outcome;
use shared::http::problem::Problem;
use shared::http::request_id::X_REQUEST_ID;
use shared::http::serve::Flaw;
use shared::http::traces::AnsweredRoute;
use shared::spool::SpoolError;

use super::Gate;
use super::arrival::Arrival;
use super::decide::{Cause, Denied, Granted, Inquiry, decide, outcome_of};
use super::ending::{Passing, RecordedBody};
use super::entrance::Entrance;
use super::record::{Answered, Record, Written};
use super::refusal::audit_unavailable;
use crate::policy::{Route, normalised};
use crate::rate_limit::{Standing, advertise};

/// A request that is not answered yet. Dropped unanswered, its event tells that the client has gone.
#[derive(Debug)]
pub(crate) struct Case {
    gate: Arc<Gate>,
    entrance: Entrance,
    arrival: Arrival,
    method: Method,
    route: Option<Arc<Route>>,
    /// How it stands with the limits on the route.
    standings: Vec<Standing>,
    record: Record,
}

/// An answer that must not leave before its event is written.
pub(crate) enum Answer {
    /// The request was served, and the whole body is here.
    Whole(Response),
    /// The request was served, and the body is still on its way: its end is an event of its own.
    Streamed(Response),
    /// The request was served by a switch to another protocol, and what passes is on its way: its end is an event of its own.
    Switched(Response, Passing),
    /// The request was refused, or could not be served.
    Refused(Box<Problem>),
}

/// What follows the head of an answer.
enum Rest {
    /// Nothing that is not here.
    Nothing,
    Body,
    Passing(Passing),
}

impl Answer {
    /// The request was refused, or could not be served.
    pub(crate) fn refused(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl Case {
    /// A request that came in, not decided on yet. Its event is begun.
    pub(crate) fn open(gate: &Arc<Gate>, entrance: Entrance, arrival: Arrival, parts: &Parts) -> Self {
        Self {
            record: Record::begin(Arc::clone(gate), entrance.door(), &arrival, parts),
            gate: Arc::clone(gate),
            entrance,
            arrival,
            method: parts.method.clone(),
            route: None,
            standings: Vec::new(),
        }
    }

    /// Decides on the request by its head. If it is let in, room for its event is held, and its intent written if the route asks for it.
    pub(crate) async fn judge(&mut self, parts: &Parts) -> Result<Granted, Box<Problem>> {
        let inquiry = Inquiry {
            entrance: self.entrance,
            method: &parts.method,
            host: self.arrival.host.as_deref(),
            path: parts.uri.path(),
            headers: &parts.headers,
            ip: self.arrival.client_ip,
        };
        // What could be read in two ways is decided on in neither.
        let decision = if let Some(flaw) = parts.extensions.get::<Flaw>() {
            Err(Denied::of_flaw(*flaw))
        } else {
            let policy = self.gate.policy.load_full();
            decide(&policy, &self.gate.guard, &self.gate.limiter, &inquiry).await
        };
        match decision {
            Ok(mut granted) => match self.note_granted(&mut granted).await {
                Ok(()) => Ok(granted),
                Err(error) => Err(Box::new(audit_unavailable(&error))),
            },
            Err(denied) => {
                let problem = denied.cause.problem();
                self.note_denied(*denied);
                Err(Box::new(problem))
            }
        }
    }

    /// Begins the case of a browser's question about a route, if there is one for `method` that pages of other origins may
    /// call. It is answered without a token, since browsers send none with it.
    pub(crate) fn preflight(
        gate: &Arc<Gate>,
        arrival: &Arrival,
        parts: &Parts,
        method: &Method,
    ) -> Option<(Self, Arc<Route>)> {
        let is_blocked = gate.guard.address_block(arrival.client_ip).is_some();
        if is_blocked || parts.extensions.get::<Flaw>().is_some() {
            return None;
        }
        let path = normalised(parts.uri.path()).ok()?;
        let (policy, host) = (gate.policy.load(), arrival.host.as_deref());
        let route = policy.table.find(host, method, &path)?;
        let is_shared = route.passage.cors.is_some();
        if !is_shared || policy.table.find(host, &parts.method, &path).is_some() {
            return None;
        }
        let mut case = Self::open(gate, Entrance::Proxy, arrival.clone(), parts);
        case.note_route(Some(route));
        Some((case, Arc::clone(route)))
    }

    /// The request as it arrived.
    pub(crate) const fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Writes the event, then lets the answer go with the request's id; without an event a 503 goes instead.
    ///
    /// `request_bytes` is how much of the request's body was read.
    pub(crate) async fn answer(self, answer: Answer, request_bytes: u64) -> Response {
        let (outcome, reason, rest, response) = match answer {
            Answer::Whole(response) => (Outcome::Granted, None, Rest::Nothing, response),
            Answer::Streamed(response) => (Outcome::Granted, None, Rest::Body, response),
            Answer::Switched(response, passing) => (Outcome::Granted, None, Rest::Passing(passing), response),
            Answer::Refused(problem) => {
                let (outcome, reason) = (outcome_of(problem.status), problem.code);
                let response = problem.for_request(&self.arrival.request_id).into_response();
                (outcome, Some(reason), Rest::Nothing, response)
            }
        };
        if let Some(reason) = reason {
            self.gate.reasons.count(reason);
        }
        let whole = response.body().size_hint().exact();
        let response_bytes = whole.filter(|_| matches!(rest, Rest::Nothing));
        let answered = Answered {
            outcome,
            reason,
            status: response.status(),
            request_bytes,
            response_bytes,
        };
        let mut response = match self.record.write(answered).await {
            Ok(written) => follow(&self.gate, response, rest, written),
            Err(error) => audit_unavailable(&error)
                .for_request(&self.arrival.request_id)
                .into_response(),
        };
        if let Some(route) = self.route.as_ref().filter(|_| self.gate.is_traced) {
            let template = AnsweredRoute(route.template.clone());
            response.extensions_mut().insert(template);
        }
        let route = self.route.as_ref().map(|route| route.name.as_str());
        self.gate.answers.count(
            &self.method,
            route,
            response.status(),
            self.arrival.started.elapsed(),
        );
        advertise(&self.standings, response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(&self.arrival.request_id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        response
    }

    /// The route that the request is for, if any is known.
    pub(crate) const fn route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref()
    }

    async fn note_granted(&mut self, granted: &mut Granted) -> Result<(), SpoolError> {
        self.standings = std::mem::take(&mut granted.standings);
        self.note_route(Some(&granted.route));
        if let Some(caller) = &granted.caller {
            let now = self.gate.guard.clock().now();
            self.record.note_caller(caller.actor(), Some(caller.facts(now)));
            self.record.note_doubts(caller);
        }
        self.record.prepare().await
    }

    fn note_denied(&mut self, denied: Denied) {
        self.note_route(denied.route.as_ref());
        self.record.note_caller(denied.actor, denied.token);
        if let Some(caller) = &denied.caller {
            self.record.note_doubts(caller);
        }
        if let Some(decision) = denied.decision {
            self.record.note_decision(decision);
        }
        match denied.cause {
            Cause::Flaw(flaw) => self.record.note_flaw(flaw),
            Cause::RateLimited(exceeded) => {
                self.record.note_limit(&exceeded.name);
                self.standings = exceeded.standings;
            }
            _ => {}
        }
    }

    fn note_route(&mut self, route: Option<&Arc<Route>>) {
        if let Some(route) = route {
            self.record.note_route(route);
            self.route = Some(Arc::clone(route));
        }
    }
}

/// Lets the answer go, and tells the end of what follows it.
fn follow(gate: &Gate, response: Response, rest: Rest, mut written: Written) -> Response {
    match rest {
        Rest::Nothing => response,
        Rest::Body => response.map(|body| Body::new(RecordedBody::new(body, written))),
        Rest::Passing(passing) => {
            gate.ends.spawn(async move { written.end_passed(passing.await) });
            response
        }
    }
}
