//! Bodies: bounded in size and time, and read as exactly what they should be.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use shared::http::json::{self, JsonFault};

use crate::error::ApiError;

/// The largest body, in bytes: names, passwords and tokens are small.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than [`BODY_BYTES_MAX`].
    TooLarge,
    /// It broke off or took too long.
    Incomplete,
}

/// Reads a whole body.
pub(crate) async fn read_body(body: Body) -> Result<Vec<u8>, BodyError> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) | Err(_) => Err(BodyError::Incomplete),
    }
}

/// A JSON body of exactly the members that `T` has.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let bytes = read_body(request.into_body())
            .await
            .map_err(|error| match error {
                BodyError::TooLarge => ApiError::BodyTooLarge,
                BodyError::Incomplete => ApiError::BodyIncomplete,
            })?;
        json::read(&bytes).map(Self).map_err(refused)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let media_type = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// The parser quotes values of a wrong type, which could be a password in the wrong place; names of members it quotes too,
/// and these are what helps.
fn refused(fault: JsonFault) -> ApiError {
    let message = match fault {
        JsonFault::Malformed(message) => return ApiError::BodyMalformed(message),
        JsonFault::Invalid(message) => message,
    };
    let names_a_member = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|kind| message.starts_with(kind));
    ApiError::BodyInvalid(if names_a_member {
        message.into()
    } else {
        let place = message
            .rsplit_once(" at line ")
            .map(|(_, place)| format!(", at line {place}"));
        let place = place.unwrap_or_default();
        format!("a member of the body is not of the right type{place}").into()
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        #[expect(dead_code, reason = "only whether it can be read matters here")]
        password: String,
    }

    fn told(body: &str) -> String {
        refused(json::read::<Login>(body.as_bytes()).unwrap_err()).to_string()
    }

    #[test]
    fn names_of_members_are_told_and_values_are_not() {
        assert!(told("{}").contains("`password`"));
        assert!(told(r#"{"passwort": "hunter2"}"#).contains("`passwort`"));
        assert!(!told(r#"{"password": {"x": "hunter2"}}"#).contains("hunter2"));
        assert!(!told(r#""hunter2""#).contains("hunter2"));
        assert!(!told(r#"{"password": hunter2}"#).contains("hunter2"));
        assert!(told(r#"{"password": 7}"#).ends_with(", at line 1 column 14"));
    }

    #[test]
    fn deep_nesting_is_malformed_and_harmless() {
        let deep = format!("{}{}", r#"{"x":"#.repeat(5_000), "}".repeat(5_000));

        let fault = json::read::<Login>(deep.as_bytes()).unwrap_err();

        assert!(matches!(
            refused(fault),
            ApiError::BodyMalformed(_) | ApiError::BodyInvalid(_)
        ));
    }
}
