//! Every request that comes to the door.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, ORIGIN};
use http::request::Parts;
use shared::http::serve::PeerAddr;
use shared::runtime::shutdown::CancellationToken;

use super::answer::{body_too_large, forward_failed};
use super::{Door, me, protected_resource};
use crate::gate::{Answer, Arrival, BodyMeter, Case, CutOff, Entrance, Granted, MustEnd, Sender, no_route};
use crate::intake;
use crate::openapi;
use crate::policy::{Route, Target, Upstream};
use crate::proxy::{self, Exchange, ForwardError, Forwarded, Outgoing, cors};

/// How long an answer that takes its time may go on after the order to stop: less than the listener waits for it.
const STOPPING_MAX: Duration = Duration::from_secs(10);

/// Answers a request and writes its event first.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(PeerAddr(peer)) = parts.extensions.get().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let sender = Sender::of(&parts, peer.ip(), &door.gate.trusted_proxies);
    let arrival = Arrival::of(&parts, sender);
    let origin = parts.headers.get(ORIGIN).cloned();
    if let Some(method) = cors::preflight(&parts)
        && let Some((case, route)) = Case::preflight(&door.gate, &arrival, &parts, &method)
    {
        let answer = Answer::Whole(cors::preflight_answer(&route, origin.as_ref()));
        return case.answer(answer, 0).await;
    }
    let mut case = Case::open(&door.gate, Entrance::Proxy, arrival, &parts);
    let verdict = case.judge(&parts).await;
    let route = case.route().cloned();
    let meter = BodyMeter::new(body_max(&door, route.as_deref()));
    let answer = match verdict {
        Ok(granted) => serve(&door, case.arrival(), &granted, (parts, body), &meter).await,
        Err(problem) => Answer::Refused(problem),
    };
    let is_refused = matches!(answer, Answer::Refused(_));
    let metadata = route
        .as_ref()
        .filter(|_| is_refused)
        .map(|route| protected_resource::metadata_address(&door.gate.policy.load(), route, case.arrival()));
    let mut response = case.answer(answer, meter.bytes()).await;
    if let Some(metadata) = metadata {
        protected_resource::lead_on(response.headers_mut(), &metadata);
    }
    if let Some(cors) = route.as_ref().and_then(|route| route.passage.cors.as_ref()) {
        cors::allow(response.headers_mut(), cors, origin.as_ref());
    }
    response
}

fn body_max(door: &Door, route: Option<&Route>) -> u64 {
    route
        .and_then(|route| route.passage.body_max_bytes)
        .unwrap_or(door.body_max_bytes)
}

/// What is long is boxed, so that it is no part of what is moved about for every other request.
async fn serve(
    door: &Door,
    arrival: &Arrival,
    granted: &Granted,
    (parts, body): (Parts, Body),
    meter: &BodyMeter,
) -> Answer {
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > meter.bytes_max()) {
        return Answer::refused(body_too_large(meter.bytes_max()));
    }
    match (&granted.route.target, &granted.caller) {
        (Target::Me, Some(caller)) => Answer::Whole(me::answer(caller)),
        (Target::Intake, Some(caller)) => {
            Box::pin(intake::take(
                &door.gate.spool,
                caller,
                &parts.headers,
                body,
                meter,
            ))
            .await
        }
        (Target::Me | Target::Intake, None) => Answer::refused(shared::http::bearer::missing_token()),
        (Target::Description, _) => Answer::Whole(openapi::answer()),
        (Target::ProtectedResource, _) => {
            let policy = door.gate.policy.load();
            Answer::Whole(protected_resource::answer(&policy, &granted.route, arrival))
        }
        (Target::Decided, _) => Answer::refused(no_route()),
        (Target::Upstream(upstream), _) => {
            match Box::pin(forward(door, arrival, (granted, upstream), (parts, body), meter)).await {
                Ok(Forwarded::Whole(response)) => Answer::Whole(response),
                Ok(Forwarded::Streamed(response)) => Answer::Streamed(response),
                Ok(Forwarded::Switched(response, passing)) => Answer::Switched(response, passing),
                Err(error) => {
                    tracing::debug!(%error, upstream = upstream.name, "a request was not answered by its upstream");
                    Answer::refused(forward_failed(&error))
                }
            }
        }
    }
}

async fn forward(
    door: &Door,
    arrival: &Arrival,
    (granted, upstream): (&Granted, &Arc<Upstream>),
    (parts, body): (Parts, Body),
    meter: &BodyMeter,
) -> Result<Forwarded, ForwardError> {
    let passage = &granted.route.passage;
    let must_end = || must_end(door, granted);
    let exchange = Exchange {
        pool: door.pools.of(upstream).ok_or(ForwardError::NoServer)?,
        outgoing: Outgoing {
            upstream,
            path: &granted.path,
            forward_token: granted.route.forward_token,
            caller: granted.caller.as_deref(),
            client_ip: arrival.client_ip,
            scheme: arrival.scheme,
            host: arrival.host.as_deref(),
            request_id: &arrival.request_id,
        },
        timeouts: passage.timeouts,
        websocket: passage.websocket,
        meter,
        must_end: &must_end,
    };
    proxy::forward(&exchange, parts, body).await
}

/// What ends an answer that takes its time: a token that is not good any more, or the order to stop.
fn must_end(door: &Door, granted: &Granted) -> MustEnd {
    let withdrawn = door.gate.withdrawn(&granted.route, granted.caller.as_ref());
    let stopped = stopped(door.stopping.clone(), granted.route.passage.websocket);
    Box::pin(async move {
        tokio::select! {
            cut = withdrawn => cut,
            cut = stopped => cut,
        }
    })
}

/// Waits for the order to stop; a while longer where an end can be told from another.
async fn stopped(stopping: CancellationToken, is_at_once: bool) -> CutOff {
    stopping.cancelled().await;
    if !is_at_once {
        tokio::time::sleep(STOPPING_MAX).await;
    }
    CutOff::Broken("door_stopping")
}
