//! `/-/decide`: one decision and one event for every question.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use shared::http::client_addr::is_trusted;
use shared::http::problem::Problem;
use shared::http::request_id::request_id;
use shared::http::serve::PeerAddr;

use super::ForwardAuth;
use super::answer;
use super::question::{self, Question};
use crate::gate::{Arrival, Case, Entrance, Sender};

/// Whether a request may pass, for a proxy that forwards it by itself.
///
/// Which request it is about is said by the headers that nginx, Traefik, Caddy or Envoy set; any method will do. A body that comes
/// with the question is not read. Codes stand in `X-Gatelog-Code` too.
#[utoipa::path(
    get,
    path = "/-/decide",
    operation_id = "decide",
    tag = "proxies",
    responses(
        (status = 200, description = "It may pass; identity headers tell who calls"),
        (status = 400, description = "`question_ambiguous`, `identity_alias`, `path_refused`"),
        (status = 401, description = "There is no token, or none that is good: `token_…`"),
        (status = 403, description = "`insufficient_scope`, `address_blocked`, `subject_blocked`, `session_blocked`, `peer_untrusted`"),
        (status = 404, description = "`no_route`")
    )
)]
pub(crate) async fn handle(State(state): State<Arc<ForwardAuth>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Some(PeerAddr(peer)) = parts.extensions.get().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let peer = peer.ip();
    if !is_trusted(peer, &state.peers) {
        return turn_away(&state, &parts, peer, answer::peer_untrusted()).await;
    }
    match question::read(&parts, &state.gate.trusted_proxies) {
        Ok(question) => decide(&state, peer, &question).await,
        Err(ambiguity) => turn_away(&state, &parts, peer, answer::ambiguous(&ambiguity)).await,
    }
}

/// Decides on the request that is asked about.
async fn decide(state: &ForwardAuth, peer: IpAddr, question: &Question) -> Response {
    let Question { head, client_ip } = question;
    let sender = Sender {
        peer,
        client_ip: *client_ip,
        scheme: "http",
        request_id: request_id(peer, &head.headers, &state.gate.trusted_proxies),
    };
    let mut case = Case::open(
        &state.gate,
        Entrance::ForwardAuth,
        Arrival::of(head, sender),
        head,
    );
    let answer = match case.judge(head).await {
        Ok(granted) => answer::granted(&granted, &head.headers),
        Err(problem) => answer::refused(*problem),
    };
    case.answer(answer, 0).await
}

/// Refuses the question itself: the event tells of it as it came, and nothing is decided.
async fn turn_away(state: &ForwardAuth, parts: &Parts, peer: IpAddr, problem: Problem) -> Response {
    let sender = Sender::of(parts, peer, &state.gate.trusted_proxies);
    let case = Case::open(
        &state.gate,
        Entrance::ForwardAuth,
        Arrival::of(parts, sender),
        parts,
    );
    case.answer(answer::refused(problem), 0).await
}
