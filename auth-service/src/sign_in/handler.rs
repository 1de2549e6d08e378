//! `POST /v1/login`.

use std::fmt;

use axum::extract::State;
use serde::Deserialize;
use shared::event::action;
use shared::token::GATELOG_AUDIENCE;
use utoipa::ToSchema;

use super::LOGIN_CLIENT;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{JsonBody, RequestContext};
use crate::session::{self, NewGrant};
use crate::throttle;
use crate::token::TokenAnswer;

/// Who signs in. The password is taken exactly as sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    #[schema(max_length = 128)]
    username: String,
    #[schema(max_length = 1024)]
    password: String,
    /// The audience of the access token; `gatelog` if absent.
    #[schema(max_length = 128)]
    audience: Option<String>,
    /// What an earlier sign-in on this device got: its user can sign in even while others try its name.
    #[schema(max_length = 64)]
    device_token: Option<String>,
    /// Whether this device is to be known from now on, by the `device_token` of the answer.
    #[serde(default)]
    remember_device: bool,
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginRequest(…)")
    }
}

/// First-party sign-in: a name and a password for tokens.
#[utoipa::path(
    post,
    path = "/v1/login",
    operation_id = "logIn",
    tag = "sign-in",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Tokens", body = TokenAnswer),
        (status = 401, description = "`bad_credentials`: one answer for all who fail"),
        (status = 429, description = "`too_many_attempts`: `Retry-After` says for how long"),
        (status = 503, description = "`too_busy`: too many sign-ins wait; `Retry-After` says for how long")
    )
)]
pub(super) async fn log_in(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<TokenAnswer, ApiError> {
    let audience = known_audience(&app, request.audience)?;
    let device = request.device_token.as_deref();
    let authentication = super::password(&app, &context, &request.username, request.password, device).await?;
    let grant = NewGrant {
        client_id: LOGIN_CLIENT,
        audience: &audience,
        scopes: None,
        action: action::AUTHN_LOGIN_SUCCESS,
    };
    let mut tx = app.database.write().await?;
    let opened = session::open(&mut tx, &app, &context, &authentication, &grant).await?;
    let Some(opened) = opened else {
        drop(tx);
        return Err(super::refuse(&app, &context, &request.username).await);
    };
    let mut answer = opened.answer;
    if request.remember_device {
        let (user_id, now) = (&authentication.account.id, app.now());
        answer.device_token = throttle::device::remember(&mut tx, user_id, device, now).await?;
    }
    app.database.commit(tx).await?;
    Ok(answer)
}

/// Scopes of Gatelog itself come with its own audience only, so that an API never holds a token that is good for more.
fn known_audience(app: &App, asked: Option<String>) -> Result<String, ApiError> {
    match asked {
        None => Ok(GATELOG_AUDIENCE.to_owned()),
        Some(audience) if audience == GATELOG_AUDIENCE || app.audiences.contains(&audience) => Ok(audience),
        Some(_) => Err(ApiError::AudienceUnknown),
    }
}
