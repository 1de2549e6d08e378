//! Changes of what others may have changed meanwhile: `If-Match` with the version that was seen (RFC 9110 §13.1.1).

use axum::extract::FromRequestParts;
use http::HeaderValue;
use http::header::IF_MATCH;
use http::request::Parts;

use crate::error::ApiError;

/// The version that the caller has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(pub(crate) i64);

impl IfMatch {
    /// Refuses if the present version is another.
    pub(crate) fn check(self, version: i64) -> Result<(), ApiError> {
        if self.0 == version {
            Ok(())
        } else {
            Err(ApiError::PreconditionFailed)
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    /// Without the header nothing is changed (RFC 6585 §3): `*` and lists would mean to change what was not seen.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let value = values.next().ok_or(ApiError::PreconditionRequired)?;
        let version = value
            .to_str()
            .ok()
            .filter(|_| values.next().is_none())
            .and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        version.map(Self).ok_or(ApiError::PreconditionFailed)
    }
}

/// The entity tag of a version.
pub(crate) fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
