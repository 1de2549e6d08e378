//! The gate as a `tower` service around another.

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use shared::http::problem::Problem;
use shared::http::serve::PeerAddr;
use tower::{Service, ServiceExt as _};

use super::body;
use super::extract::{Caller, LetIn};
use crate::gate::{Answer, Arrival, BodyMeter, Case, Entrance, Gate, Granted, Sender};

/// A service behind the gate: `inner` sees what is let in, and nothing else.
#[derive(Clone, Debug)]
pub struct GateService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S> GateService<S> {
    pub(super) const fn new(gate: Arc<Gate>, inner: S) -> Self {
        Self { gate, inner }
    }
}

impl<S> Service<Request> for GateService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // `inner` is waited for when there is a request that may pass.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (gate, inner) = (Arc::clone(&self.gate), self.inner.clone());
        Box::pin(async move { Ok(pass(&gate, inner, request).await) })
    }
}

/// Answers a request and writes its event first.
async fn pass<S>(gate: &Arc<Gate>, inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let (parts, body) = request.into_parts();
    let Some(peer) = peer(&parts) else {
        tracing::error!("the gate does not know who connects; see `api_service::layer::with_peers`");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let sender = Sender::of(&parts, peer, &gate.trusted_proxies);
    let arrival = Arrival::of(&parts, sender);
    let mut case = Case::open(gate, Entrance::Layer, arrival, &parts);
    let meter = BodyMeter::new(u64::MAX);
    let answer = match case.judge(&parts).await {
        Ok(granted) => {
            let (route, caller) = (Arc::clone(&granted.route), granted.caller.clone());
            let answer = serve(inner, granted, parts, body, &meter).await;
            body::ended(answer, || gate.withdrawn(&route, caller.as_ref()))
        }
        Err(problem) => Answer::Refused(problem),
    };
    case.answer(answer, meter.bytes()).await
}

async fn serve<S>(inner: S, granted: Granted, mut parts: Parts, body: Body, meter: &BodyMeter) -> Answer
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if let Err(problem) = spell_as_decided(&mut parts, &granted.path) {
        return Answer::Refused(problem);
    }
    parts.extensions.insert(LetIn(granted.caller.map(Caller::new)));
    let request = Request::from_parts(parts, Body::new(meter.clone().measure(body)));
    let answered = async { body::answer(served(inner, request).await).await };
    // A panic must not take the event with it.
    match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(answer) => answer,
        Err(panic) => panicked(panic.as_ref()),
    }
}

async fn served<S>(inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    match inner.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A router inside has routed the path as it was written, and might have taken it for another than was decided on.
fn spell_as_decided(parts: &mut Parts, decided: &str) -> Result<(), Box<Problem>> {
    if parts.uri.path() == decided {
        return Ok(());
    }
    let respelled = match parts.uri.query() {
        Some(query) => format!("{decided}?{query}"),
        None => decided.to_owned(),
    };
    match respelled.parse::<PathAndQuery>() {
        Ok(path) if parts.extensions.get::<MatchedPath>().is_none() => {
            parts.uri = Uri::from(path);
            Ok(())
        }
        _ => Err(Box::new(Problem::new(
            StatusCode::BAD_REQUEST,
            "path_refused",
            "the path escapes characters that need no escape",
        ))),
    }
}

/// Who connected, by Gatelog's own listener or by axum's.
fn peer(parts: &Parts) -> Option<IpAddr> {
    let own = parts.extensions.get::<PeerAddr>().map(|peer| peer.0);
    let axum_s = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    own.or(axum_s.map(|info| info.0)).map(|peer| peer.ip())
}

fn panicked(panic: &(dyn Any + Send)) -> Answer {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or_default(), "a handler panicked");
    Answer::refused(Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "handler_panicked",
        "the service failed to answer",
    ))
}
