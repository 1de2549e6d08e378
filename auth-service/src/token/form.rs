//! The form that OAuth end points take, and the errors that they answer with (RFC 6749 §3.2, §5.2).

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::error::ApiError;
use crate::request::{BodyError, read_body};
use shared::database::DatabaseError;

/// An error of an OAuth end point.
#[derive(Debug)]
pub(crate) enum OAuthError {
    /// The request is not of the form that it should be.
    InvalidRequest(&'static str),
    /// The body is larger than it may be.
    TooLarge,
    /// The client is unknown, disabled, or has not proved who it is; which of it is nobody's business.
    InvalidClient,
    /// What was presented is wrong, expired, used or revoked; which of it is nobody's business.
    InvalidGrant,
    /// More was asked for than was granted.
    InvalidScope,
    /// The resource is unknown, not the client's, or not alone (RFC 8707 §2).
    InvalidTarget,
    /// The client may not get tokens in that way.
    UnauthorizedClient,
    /// The kind of grant is not offered.
    UnsupportedGrantType,
    /// A failure of ours.
    Failed(ApiError),
}

impl From<ApiError> for OAuthError {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for OAuthError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: &'static str,
    error_description: &'static str,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is larger than it may be",
            ),
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is unknown or has not proved who it is",
            ),
            Self::InvalidGrant => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "the grant is not valid, or not any more",
            ),
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "more was asked for than was granted",
            ),
            Self::InvalidTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_target",
                "a token is for one audience, which must be one of the client's",
            ),
            Self::UnauthorizedClient => (
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                "this client may not use this grant type",
            ),
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "this grant type is not offered",
            ),
            Self::Failed(error) => return failed(&error),
        };
        let body = Json(ErrorBody {
            error,
            error_description: description,
        });
        let mut response =
            (status, [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6749 §5.2: a client that tried by `Authorization` is answered by a challenge.
            let challenge = HeaderValue::from_static(r#"Basic realm="gatelog""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// RFC 6749 has no code for this end point's own failures; these two are those of its §4.1.2.1.
fn failed(error: &ApiError) -> Response {
    let problem = error.problem();
    let (code, description) = if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        ("temporarily_unavailable", "try again")
    } else {
        ("server_error", "something went wrong here")
    };
    tracing::error!(%error, "a request for a token failed");
    let body = Json(ErrorBody {
        error: code,
        error_description: description,
    });
    let mut response = (problem.status, [(CACHE_CONTROL, "no-store")], body).into_response();
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The parameters of a request, none of them twice, but for `resource` (RFC 8707 §2). Secrets may be among them.
#[derive(Default)]
pub(crate) struct Form {
    parameters: BTreeMap<String, String>,
    resources: Vec<String>,
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Form(…)")
    }
}

impl Form {
    /// Reads the form. Parameters without a value count as absent (RFC 6749 §3.2).
    pub(crate) async fn read(request: Request) -> Result<Self, OAuthError> {
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(OAuthError::InvalidRequest("parameters belong in the body"));
        }
        if !is_form(request.headers()) {
            return Err(OAuthError::InvalidRequest(
                "the body must be of the content type application/x-www-form-urlencoded",
            ));
        }
        let bytes = read_body(request.into_body())
            .await
            .map_err(|error| match error {
                BodyError::TooLarge => OAuthError::TooLarge,
                BodyError::Incomplete => OAuthError::InvalidRequest("the body did not arrive"),
            })?;
        let (mut parameters, mut resources) = (BTreeMap::new(), Vec::new());
        for (name, value) in url::form_urlencoded::parse(&bytes) {
            if name == "resource" {
                resources.push(value.into_owned());
            } else if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(OAuthError::InvalidRequest("a parameter stands twice"));
            }
        }
        Ok(Self {
            parameters,
            resources,
        })
    }

    /// These parameters, for tests.
    #[cfg(test)]
    pub(crate) fn of(parameters: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            parameters: parameters.iter().map(owned).collect(),
            resources: Vec::new(),
        }
    }

    /// A parameter, if it has a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The resource that a token is asked for. A token is for one audience: a second one would let each present it to the
    /// other, so that several are refused as RFC 8707 §2 permits.
    pub(crate) fn resource(&self) -> Result<Option<&str>, OAuthError> {
        let mut resources = self.resources.iter().filter(|resource| !resource.is_empty());
        match (resources.next(), resources.next()) {
            (_, Some(_)) => Err(OAuthError::InvalidTarget),
            (resource, None) => Ok(resource.map(String::as_str)),
        }
    }

    /// A parameter that must be there.
    pub(crate) fn require(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or(OAuthError::InvalidRequest(missing))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next().unwrap_or_default();
    media_type
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
