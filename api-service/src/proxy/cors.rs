//! What browsers are told about calls from pages of other origins (the CORS protocol of the Fetch standard).

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::policy::{Cors, Route};

/// What no upstream says where the route does.
const OWN: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The method that a browser asks about before it sends a request, if that is what the request is.
pub(crate) fn preflight(parts: &Parts) -> Option<Method> {
    let method = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let asks = parts.method == Method::OPTIONS && parts.headers.contains_key(ORIGIN);
    asks.then(|| Method::from_bytes(method.as_bytes()).ok())?
}

/// The answer to that question for a page at `origin`. It says nothing of who may use the route: the request itself is
/// decided on.
pub(crate) fn preflight_answer(route: &Route, origin: Option<&HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let Some(cors) = &route.passage.cors else {
        return response;
    };
    if let Some(cors) = admit(headers, cors, origin) {
        set(headers, ACCESS_CONTROL_ALLOW_METHODS, route.method.as_str());
        set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &list(&cors.headers));
        set(
            headers,
            ACCESS_CONTROL_MAX_AGE,
            &cors.max_age.as_secs().to_string(),
        );
    }
    response
}

/// Says on an answer, be it a refusal, whether a page at `origin` may read it. What its upstream says of that is removed.
pub(crate) fn allow(headers: &mut HeaderMap, cors: &Cors, origin: Option<&HeaderValue>) {
    for name in OWN {
        headers.remove(name);
    }
    let exposes = admit(headers, cors, origin).filter(|cors| !cors.expose.is_empty());
    if let Some(cors) = exposes {
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &list(&cors.expose));
    }
}

/// Names the origin if it may call. The answer differs by it either way, which caches must know.
fn admit<'c>(headers: &mut HeaderMap, cors: &'c Cors, origin: Option<&HeaderValue>) -> Option<&'c Cors> {
    headers.append(VARY, HeaderValue::from_static("origin"));
    let origin = origin.filter(|origin| cors.allows(origin))?;
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if cors.credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    Some(cors)
}

fn list(names: &[HeaderName]) -> String {
    let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
    names.join(", ")
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
