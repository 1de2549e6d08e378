//! What the asking proxy is told.

use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use shared::http::problem::Problem;

use super::question::Ambiguity;
use crate::gate::{Answer, Granted};

/// The code of a refusal, for proxies that pass on no bodies.
const CODE: HeaderName = HeaderName::from_static("x-gatelog-code");

/// 200 with what the upstream is to be told of the caller. A header with nothing to tell is empty rather than absent, so that the
/// proxy puts it in the place of one that the client sent.
pub(super) fn granted(granted: &Granted, asked: &HeaderMap) -> Answer {
    let identity = granted.route.identity();
    if let Some(alias) = asked.keys().find(|name| identity.has_alias(name)) {
        return refused(identity_alias(alias));
    }
    let mut response = (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response();
    for (name, value) in identity.told(granted.caller.as_deref()) {
        // What no header can hold is not told at all.
        let value = HeaderValue::try_from(value.unwrap_or_default());
        let value = value.unwrap_or(HeaderValue::from_static(""));
        response.headers_mut().insert(name, value);
    }
    Answer::Whole(response)
}

/// A refusal, with its code in a header too.
pub(super) fn refused(problem: Problem) -> Answer {
    let code = HeaderValue::from_static(problem.code);
    Answer::refused(problem.with_header(CODE, code))
}

/// 403: not everybody may say which request is asked about.
pub(super) fn peer_untrusted() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "peer_untrusted",
        "decisions are for proxies that the settings name",
    )
}

/// 400: which request is asked about is not certain.
pub(super) fn ambiguous(ambiguity: &Ambiguity) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "question_ambiguous",
        ambiguity.to_string(),
    )
}

/// 400: the proxy would pass this on beside the header that it sets, and many upstreams take both for one.
fn identity_alias(name: &HeaderName) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "identity_alias",
        format!("the header {name} is another spelling of one that tells who calls"),
    )
}
