//! Every request that comes to the door.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use shared::event::Outcome;
use shared::http::problem::Problem;
use shared::http::request_id::X_REQUEST_ID;
use shared::http::serve::PeerAddr;

use super::answer::{audit_unavailable, body_too_large, forward_failed};
use super::arrival::Arrival;
use super::decide::{Granted, Inquiry, decide, outcome_of};
use super::ending::RecordedBody;
use super::record::{Answered, Record};
use super::{Door, me};
use crate::policy::Target;
use crate::proxy::{self, BodyMeter, Outgoing};

/// Answers a request and writes its event first.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let Some(PeerAddr(peer)) = parts.extensions.get().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let arrival = Arrival::of(&parts, peer.ip(), &door.trusted_proxies);
    let request_id = arrival.request_id.clone();
    let mut record = Record::begin(Arc::clone(&door), arrival.clone(), parts.uri.query());
    let meter = BodyMeter::new(door.body_max_bytes);
    let mut route = None;
    let inquiry = Inquiry {
        method: &parts.method,
        host: arrival.host.as_deref(),
        path: parts.uri.path(),
        headers: &parts.headers,
        ip: arrival.client_ip,
    };
    let decision = decide(&door.policy.load(), &door.guard, &inquiry);
    let draft = match decision {
        Ok(granted) => {
            record.note_route(&granted.route);
            route = Some(Arc::clone(&granted.route));
            if let Some(caller) = &granted.caller {
                record.note_caller(caller.actor(), Some(caller.facts(door.spool.clock().now())));
            }
            match record.hold_room() {
                Ok(()) => serve_granted(&door, &arrival, granted, (parts, body), &meter).await,
                Err(error) => DraftAnswer::refusal(audit_unavailable(&error), &request_id),
            }
        }
        Err(denied) => {
            if let Some(route) = &denied.route {
                record.note_route(route);
            }
            route.clone_from(&denied.route);
            let problem = denied.cause.problem();
            record.note_caller(denied.actor, denied.token);
            DraftAnswer::refusal(problem, &request_id)
        }
    };
    let mut response = write_and_release(record, draft, &meter, &request_id).await;
    let route = route.as_ref().map(|route| route.name.as_str());
    door.answers
        .count(&method, route, response.status(), begun.elapsed());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// An answer that must not leave before its event is written.
struct DraftAnswer {
    outcome: Outcome,
    reason: Option<&'static str>,
    response: Response,
}

impl DraftAnswer {
    fn granted(response: Response) -> Self {
        Self {
            outcome: Outcome::Granted,
            reason: None,
            response,
        }
    }

    fn refusal(problem: Problem, request_id: &str) -> Self {
        let outcome = outcome_of(problem.status);
        let reason = Some(problem.code);
        Self {
            outcome,
            reason,
            response: problem.for_request(request_id).into_response(),
        }
    }
}

async fn serve_granted(
    door: &Door,
    arrival: &Arrival,
    granted: Granted,
    (parts, body): (Parts, Body),
    meter: &BodyMeter,
) -> DraftAnswer {
    let refused = |problem: Problem| DraftAnswer::refusal(problem, &arrival.request_id);
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > door.body_max_bytes) {
        return refused(body_too_large(door.body_max_bytes));
    }
    match (&granted.route.target, &granted.caller) {
        (Target::Me, Some(caller)) => DraftAnswer::granted(me::answer(caller)),
        (Target::Me, None) => refused(shared::http::bearer::missing_token()),
        (Target::Upstream(upstream), caller) => {
            let outgoing = Outgoing {
                upstream,
                path: &granted.path,
                forward_token: granted.route.forward_token,
                caller: caller.as_ref(),
                client_ip: arrival.client_ip,
                scheme: arrival.scheme,
                host: arrival.host.as_deref(),
                request_id: &arrival.request_id,
            };
            match proxy::forward(&door.client, &outgoing, parts, body, meter).await {
                Ok(response) => DraftAnswer::granted(response),
                Err(error) => {
                    tracing::debug!(%error, upstream = upstream.name, "a request was not answered by its upstream");
                    refused(forward_failed(&error))
                }
            }
        }
    }
}

/// Writes the event, then lets the answer go; without an event a 503 goes instead.
async fn write_and_release(
    record: Record,
    draft: DraftAnswer,
    meter: &BodyMeter,
    request_id: &str,
) -> Response {
    let complete = draft
        .response
        .body()
        .size_hint()
        .exact()
        .filter(|_| is_in_memory(&draft.response));
    let answered = Answered {
        outcome: draft.outcome,
        reason: draft.reason,
        status: draft.response.status(),
        request_bytes: meter.bytes(),
        response_bytes: complete,
    };
    match record.write(answered).await {
        Ok(_) if complete.is_some() => draft.response,
        Ok(written) => draft
            .response
            .map(|body| Body::new(RecordedBody::new(body, written))),
        Err(error) => audit_unavailable(&error).for_request(request_id).into_response(),
    }
}

/// Whether the whole body is here: the door's own answers, and those of upstreams that were short enough to collect.
fn is_in_memory(response: &Response) -> bool {
    response.extensions().get::<proxy::Streaming>().is_none()
}
