//! `POST /v1/login` and `POST /v1/logout`.

use std::fmt;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::{login, logout};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, JsonBody, RequestContext};
use crate::token::TokenAnswer;

/// Who signs in. The password is taken exactly as sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    pub(super) username: String,
    pub(super) password: String,
    /// The audience of the access token; `gatelog` if absent.
    pub(super) audience: Option<String>,
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginRequest(…)")
    }
}

/// First-party sign-in: a name and a password for tokens.
pub(super) async fn log_in(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<TokenAnswer, ApiError> {
    login::log_in(&app, &context, request).await
}

/// Ends the session of the token that is presented.
pub(super) async fn log_out(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    logout::log_out(&app, &context, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
