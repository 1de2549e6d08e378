//! What a request brings along: a JSON body, bounded in size and time, and the version that its sender has seen.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use shared::http::json;
use shared::http::problem::Problem;

use super::RequestFacts;
use crate::app::AppState;
use crate::error::ApiError;

/// The largest body, in bytes: notes and orders are small.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body of exactly the members that `T` has.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Problem> {
        let facts = request.extensions().get::<RequestFacts>().cloned();
        read(request)
            .await
            .map(Self)
            .map_err(|error| refused(&error, facts.as_ref()))
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_json = media_type
        .and_then(|text| text.split(';').next())
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(ApiError::UnsupportedMediaType);
    }
    let reading = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
    let bytes = read
        .map_err(|_| ApiError::BodyUnreadable)?
        .map_err(|_| ApiError::BodyUnreadable)?;
    Ok(json::read(&bytes)?)
}

/// Whether a text can be kept: it says something in at most so many bytes, and has no zero byte, which PostgreSQL refuses.
pub(crate) fn is_text(text: &str, bytes_max: usize) -> bool {
    !text.trim().is_empty() && text.len() <= bytes_max && !text.contains('\0')
}

/// Refuses a body in which something is no such text; `what` names it, such as "a reason".
pub(crate) fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<(), ApiError> {
    if is_text(text, bytes_max) {
        return Ok(());
    }
    let problem = format!("{what} is a text of 1 to {bytes_max} bytes");
    Err(ApiError::BodyInvalid(problem))
}

/// The version that the caller has seen (`If-Match`, RFC 9110 §13.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(i64);

impl IfMatch {
    /// Refuses if the present version is another.
    pub(crate) fn check(self, version: i64) -> Result<(), ApiError> {
        (self.0 == version)
            .then_some(())
            .ok_or(ApiError::PreconditionFailed)
    }
}

impl FromRequestParts<AppState> for IfMatch {
    type Rejection = Problem;

    /// Without the header nothing is changed (RFC 6585 §3): `*` and lists would mean to change what was not seen.
    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let refuse = |error: &ApiError| refused(error, parts.extensions.get());
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let value = values
            .next()
            .ok_or_else(|| refuse(&ApiError::PreconditionRequired))?;
        let version = value
            .to_str()
            .ok()
            .filter(|_| values.next().is_none())
            .and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        version
            .map(Self)
            .ok_or_else(|| refuse(&ApiError::PreconditionFailed))
    }
}

/// The entity tag of a version.
pub(crate) fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn refused(error: &ApiError, facts: Option<&RequestFacts>) -> Problem {
    let problem = error.problem();
    match facts {
        Some(facts) => problem.for_request(&facts.trace.request_id),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_something_in_its_bytes_and_has_no_zero() {
        assert!(is_text("case 17", 7) && is_text("\u{e4}", 2));
        for none in ["", " \n", "case 172", "\u{e4}\u{e4}\u{e4}\u{e4}", "a\0"] {
            assert!(!is_text(none, 7), "{none:?}");
        }
    }
}
