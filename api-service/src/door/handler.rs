//! Every request that comes to the door.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use shared::http::serve::PeerAddr;

use super::answer::{body_too_large, forward_failed};
use super::{Door, me};
use crate::gate::{Answer, Arrival, BodyMeter, Case, Entrance, Granted, Sender, no_route};
use crate::intake;
use crate::openapi;
use crate::policy::Target;
use crate::proxy::{self, Outgoing};

/// Answers a request and writes its event first.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(PeerAddr(peer)) = parts.extensions.get().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let sender = Sender::of(&parts, peer.ip(), &door.gate.trusted_proxies);
    let arrival = Arrival::of(&parts, sender);
    let meter = BodyMeter::new(door.body_max_bytes);
    let mut case = Case::open(&door.gate, Entrance::Proxy, arrival, &parts);
    let answer = match case.judge(&parts).await {
        Ok(granted) => serve(&door, case.arrival(), &granted, (parts, body), &meter).await,
        Err(problem) => Answer::Refused(problem),
    };
    case.answer(answer, meter.bytes()).await
}

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
    if announced.is_some_and(|bytes| bytes > door.body_max_bytes) {
        return Answer::refused(body_too_large(door.body_max_bytes));
    }
    match (&granted.route.target, &granted.caller) {
        (Target::Me, Some(caller)) => Answer::Whole(me::answer(caller)),
        (Target::Intake, Some(caller)) => {
            intake::take(&door.gate.spool, caller, &parts.headers, body, meter).await
        }
        (Target::Me | Target::Intake, None) => Answer::refused(shared::http::bearer::missing_token()),
        (Target::Description, _) => Answer::Whole(openapi::answer()),
        (Target::Decided, _) => Answer::refused(no_route()),
        (Target::Upstream(upstream), caller) => {
            let outgoing = Outgoing {
                upstream,
                path: &granted.path,
                forward_token: granted.route.forward_token,
                caller: caller.as_deref(),
                client_ip: arrival.client_ip,
                scheme: arrival.scheme,
                host: arrival.host.as_deref(),
                request_id: &arrival.request_id,
            };
            match proxy::forward(&door.client, &outgoing, parts, body, meter).await {
                Ok(response) if proxy::is_streaming(&response) => Answer::Streamed(response),
                Ok(response) => Answer::Whole(response),
                Err(error) => {
                    tracing::debug!(%error, upstream = upstream.name, "a request was not answered by its upstream");
                    Answer::refused(forward_failed(&error))
                }
            }
        }
    }
}
