//! One request to an upstream.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Uri, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use shared::http::client::PooledClient;

use super::headers;
use super::{ForwardError, Outgoing, Streaming};
use crate::gate::{BodyMeter, COLLECT_BYTES_MAX};

/// How long an upstream may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends the request on and returns the answer as the client may see it.
pub(crate) async fn forward(
    client: &PooledClient,
    outgoing: &Outgoing<'_>,
    parts: Parts,
    body: Body,
    meter: &BodyMeter,
) -> Result<Response, ForwardError> {
    let request = build(outgoing, parts, body, meter)?;
    let exchange = async {
        let response = client
            .request(request)
            .await
            .map_err(|error| classify(error, meter))?;
        collect_if_short(response).await
    };
    let mut response = tokio::time::timeout(ANSWER_TIMEOUT, exchange)
        .await
        .map_err(|_| ForwardError::TimedOut)??;
    headers::incoming(response.headers_mut());
    Ok(response)
}

fn build(
    outgoing: &Outgoing<'_>,
    parts: Parts,
    body: Body,
    meter: &BodyMeter,
) -> Result<Request<Body>, ForwardError> {
    let (scheme, authority) = outgoing.upstream.next_server().ok_or(ForwardError::NoServer)?;
    let path_and_query = match parts.uri.query() {
        Some(query) => format!("{}?{query}", outgoing.path),
        None => outgoing.path.to_owned(),
    };
    let uri = Uri::builder()
        .scheme(scheme.clone())
        .authority(authority.clone())
        .path_and_query(
            path_and_query
                .parse::<PathAndQuery>()
                .map_err(|_| ForwardError::NoServer)?,
        )
        .build()
        .map_err(|_| ForwardError::NoServer)?;
    let mut request = Request::new(Body::new(meter.clone().measure(body)));
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = parts.headers;
    headers::outgoing(request.headers_mut(), outgoing);
    Ok(request)
}

/// A failure while the client's own body was at fault is the client's.
fn classify(error: hyper_util::client::legacy::Error, meter: &BodyMeter) -> ForwardError {
    if meter.is_exceeded() {
        ForwardError::BodyTooLarge(meter.bytes_max())
    } else if meter.is_broken() {
        ForwardError::RequestBody
    } else {
        ForwardError::Unreachable(error)
    }
}

async fn collect_if_short(response: http::Response<Incoming>) -> Result<Response, ForwardError> {
    let (mut parts, body) = response.into_parts();
    // A HEAD answer announces a length that does not follow; its body is at its end already.
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if body.is_end_stream() || announced.is_some_and(|bytes| bytes <= COLLECT_BYTES_MAX) {
        let bytes = body.collect().await.map_err(|_| ForwardError::Broken)?.to_bytes();
        return Ok(Response::from_parts(parts, Body::from(bytes)));
    }
    parts.extensions.insert(Streaming);
    Ok(Response::from_parts(parts, Body::new(body)))
}
