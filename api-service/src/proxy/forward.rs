//! One request to an upstream: sent, sent once more where that can do no harm, and answered in time.

use std::pin::pin;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout_at};

use super::answer_body::AnswerBody;
use super::pool::Turn;
use super::request_body::{Progress, RequestBody};
use super::{Exchange, ForwardError, Forwarded, headers, websocket};
use crate::gate::{COLLECT_BYTES_MAX, CutOff};

/// Sends the request on and returns the answer as the client may see it.
pub(crate) async fn forward(
    exchange: &Exchange<'_>,
    mut parts: Parts,
    body: Body,
) -> Result<Forwarded, ForwardError> {
    let deadline = Instant::now() + exchange.timeouts.whole;
    let switch = websocket::asked_for(&mut parts, &body).filter(|_| exchange.websocket);
    let mut head = Head::of(exchange, parts, switch.is_some())?;
    // Whoever sees the same twice sees no more than once, and there is nothing that could have been read already.
    let is_repeatable = head.method.is_idempotent() && body.is_end_stream();
    let progress = Progress::begin();
    let body = if body.is_end_stream() {
        body
    } else {
        let body = RequestBody::new(body, exchange.timeouts.body, progress.clone());
        Body::new(exchange.meter.clone().measure(Body::new(body)))
    };
    let asking = Asking {
        exchange,
        progress,
        deadline,
    };
    let mut turn = exchange.pool.turn(None)?;
    let headers = if is_repeatable {
        head.headers.clone()
    } else {
        std::mem::take(&mut head.headers)
    };
    let mut answered = asking.ask(&turn, head.request(&turn, headers, body)?).await;
    if is_repeatable && matches!(answered, Err(ForwardError::Unreachable(_))) {
        turn = turn.again()?;
        let headers = std::mem::take(&mut head.headers);
        answered = asking
            .ask(&turn, head.request(&turn, headers, Body::empty())?)
            .await;
    }
    let mut response = answered?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switched(exchange, switch, response, turn, deadline);
    }
    headers::incoming(response.headers_mut());
    finished(exchange, response, turn, deadline).await
}

/// The head of a request as its upstream gets it, but for the server.
struct Head {
    method: Method,
    target: PathAndQuery,
    version: Version,
    headers: HeaderMap,
}

impl Head {
    fn of(exchange: &Exchange<'_>, parts: Parts, switches: bool) -> Result<Self, ForwardError> {
        let outgoing = &exchange.outgoing;
        let target = match parts.uri.query() {
            Some(query) => format!("{}?{query}", outgoing.path).parse(),
            None => outgoing.path.parse(),
        };
        let mut headers = parts.headers;
        headers::outgoing(&mut headers, outgoing);
        if switches {
            websocket::set_switch(&mut headers);
        }
        Ok(Self {
            method: parts.method,
            target: target.map_err(|_| ForwardError::NoServer)?,
            version: if outgoing.upstream.http2 {
                Version::HTTP_2
            } else {
                Version::HTTP_11
            },
            headers,
        })
    }

    fn request(&self, turn: &Turn, headers: HeaderMap, body: Body) -> Result<Request<Body>, ForwardError> {
        let server = turn.server().ok_or(ForwardError::NoServer)?;
        let uri = Uri::builder()
            .scheme(server.scheme.clone())
            .authority(server.authority.clone())
            .path_and_query(self.target.clone())
            .build()
            .map_err(|_| ForwardError::NoServer)?;
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

struct Asking<'a> {
    exchange: &'a Exchange<'a>,
    progress: Progress,
    deadline: Instant,
}

impl Asking<'_> {
    async fn ask(
        &self,
        turn: &Turn,
        request: Request<Body>,
    ) -> Result<http::Response<Incoming>, ForwardError> {
        let answered = self.answered_in_time(request).await;
        match &answered {
            Ok(_) => turn.note_answer(),
            Err(ForwardError::TimedOut) => turn.note_failure("timeout"),
            Err(ForwardError::Unreachable(error)) if error.is_connect() => turn.note_failure("connect"),
            Err(ForwardError::Unreachable(_)) => turn.note_failure("broken"),
            // The client's fault.
            Err(_) => {}
        }
        answered
    }

    /// The time for an answer begins anew with every part of the request's body.
    async fn answered_in_time(
        &self,
        request: Request<Body>,
    ) -> Result<http::Response<Incoming>, ForwardError> {
        let mut answering = pin!(self.exchange.pool.client().request(request));
        let wait = self.exchange.timeouts.answer;
        let mut begun = Instant::now();
        loop {
            let until = (begun + wait).min(self.deadline);
            if let Ok(answered) = timeout_at(until, answering.as_mut()).await {
                return answered.map_err(|error| self.cause(error));
            }
            let progress = self.progress.last();
            if until == self.deadline || progress <= begun {
                return Err(ForwardError::TimedOut);
            }
            begun = progress;
        }
    }

    /// A failure while the client's own body was at fault is the client's.
    fn cause(&self, error: hyper_util::client::legacy::Error) -> ForwardError {
        let meter = self.exchange.meter;
        if self.progress.is_late() {
            ForwardError::BodyLate
        } else if meter.is_exceeded() {
            ForwardError::BodyTooLarge(meter.bytes_max())
        } else if meter.is_broken() {
            ForwardError::RequestBody
        } else {
            ForwardError::Unreachable(error)
        }
    }
}

/// An answer that switches protocols. One that was not asked for, or is to another protocol, is none.
fn switched(
    exchange: &Exchange<'_>,
    switch: Option<OnUpgrade>,
    response: http::Response<Incoming>,
    turn: Turn,
    deadline: Instant,
) -> Result<Forwarded, ForwardError> {
    let client = switch.ok_or(ForwardError::Broken)?;
    if !websocket::is_switch(response.headers()) {
        return Err(ForwardError::Broken);
    }
    let (mut parts, body) = response.into_parts();
    headers::incoming(&mut parts.headers);
    websocket::set_switch(&mut parts.headers);
    let upstream = parts
        .extensions
        .remove::<OnUpgrade>()
        .ok_or(ForwardError::Broken)?;
    let (idle, must_end) = (exchange.timeouts.idle, (exchange.must_end)());
    let passing = async move {
        let passed = websocket::pass((client, upstream), idle, deadline, must_end).await;
        drop((body, turn));
        passed
    };
    Ok(Forwarded::Switched(
        Response::from_parts(parts, Body::empty()),
        Box::pin(passing),
    ))
}

async fn finished(
    exchange: &Exchange<'_>,
    response: http::Response<Incoming>,
    turn: Turn,
    deadline: Instant,
) -> Result<Forwarded, ForwardError> {
    let (parts, body) = response.into_parts();
    // A HEAD answer announces a length that does not follow; its body is at its end already.
    if body.is_end_stream() {
        return Ok(Forwarded::Whole(Response::from_parts(parts, Body::empty())));
    }
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let is_short = announced.is_some_and(|bytes| bytes <= COLLECT_BYTES_MAX);
    let must_end = if is_short {
        // It is here in a moment.
        Box::pin(std::future::pending())
    } else {
        (exchange.must_end)()
    };
    let body = AnswerBody::new(Body::new(body), exchange.timeouts.idle, deadline, must_end, turn);
    if is_short {
        let collected = body.collect().await.map_err(|error| broken_off(&error))?;
        let body = Body::from(collected.to_bytes());
        return Ok(Forwarded::Whole(Response::from_parts(parts, body)));
    }
    Ok(Forwarded::Streamed(Response::from_parts(parts, Body::new(body))))
}

fn broken_off(error: &axum::Error) -> ForwardError {
    match CutOff::of(error) {
        Some(_) => ForwardError::TimedOut,
        None => ForwardError::Broken,
    }
}
