//! `POST /v1/login` and `POST /v1/login/mfa`.

use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use shared::event::action;
use shared::http::problem::PROBLEM_JSON;
use shared::token::GATELOG_AUDIENCE;
use utoipa::ToSchema;

use super::ticket::{self, Destination};
use super::{Authentication, LOGIN_CLIENT, Proven, SecondStep};
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

/// The second half of a sign-in. What is said of the device is as in the first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondFactorRequest {
    /// The `ticket` of the answer to the first half.
    #[schema(max_length = 128)]
    ticket: String,
    /// Six digits of the authenticator, or a recovery code.
    #[schema(max_length = 64)]
    code: String,
    #[schema(max_length = 64)]
    device_token: Option<String>,
    #[serde(default)]
    remember_device: bool,
}

impl fmt::Debug for SecondFactorRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecondFactorRequest(…)")
    }
}

/// The problem `mfa_required`: the password was right, and is not enough (RFC 9457 §3.2).
#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactorRequired {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    request_id: String,
    /// What stands for the password at `/v1/login/mfa`, once. It opens nothing by itself.
    #[schema(max_length = 128)]
    ticket: String,
    /// Seconds for which it is good.
    expires_in: u64,
}

/// What a password is answered with.
pub(super) enum LoginAnswer {
    Tokens(TokenAnswer),
    SecondFactor(SecondFactorRequired),
}

impl IntoResponse for LoginAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Tokens(answer) => answer.into_response(),
            Self::SecondFactor(body) => {
                let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, PROBLEM_JSON)];
                (StatusCode::FORBIDDEN, headers, Json(body)).into_response()
            }
        }
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
        (status = 403, description = "`mfa_required`: the user has a second factor; go on at `/v1/login/mfa`",
            body = SecondFactorRequired, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`: `Retry-After` says for how long"),
        (status = 503, description = "`too_busy`: too many sign-ins wait; `Retry-After` says for how long")
    )
)]
pub(super) async fn log_in(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<LoginAnswer, ApiError> {
    let audience = known_audience(&app, request.audience)?;
    let device = Device {
        token: request.device_token.as_deref(),
        is_to_be_remembered: request.remember_device,
    };
    let proven = super::password(&app, &context, &request.username, request.password, device.token).await?;
    let opened = ticket_or_tokens(&app, &context, &proven, (&audience, device)).await;
    proven.end(&app, &context, opened).await
}

/// First-party sign-in with a second factor: a ticket and a code for tokens.
#[utoipa::path(
    post,
    path = "/v1/login/mfa",
    operation_id = "logInBySecondFactor",
    tag = "sign-in",
    request_body = SecondFactorRequest,
    responses(
        (status = 200, description = "Tokens", body = TokenAnswer),
        (status = 403, description = "`mfa_code_refused`: one answer for every wrong code, and the ticket is still good; \
            `mfa_ticket_refused`: begin at `/v1/login` again"),
        (status = 429, description = "`too_many_attempts`: `Retry-After` says for how long")
    )
)]
pub(super) async fn log_in_by_second_factor(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<SecondFactorRequest>,
) -> Result<TokenAnswer, ApiError> {
    let step = SecondStep {
        ticket: &request.ticket,
        code: &request.code,
        client_id: LOGIN_CLIENT,
    };
    let (authentication, audience) = super::second_factor(&app, &context, &step).await?;
    let device = Device {
        token: request.device_token.as_deref(),
        is_to_be_remembered: request.remember_device,
    };
    match open(&app, &context, (&authentication, None), (&audience, device)).await? {
        Some(tokens) => Ok(tokens),
        None => Err(super::refuse(&app, &context, &authentication.account.username).await),
    }
}

/// The device that somebody signs in on.
#[derive(Clone, Copy)]
struct Device<'a> {
    token: Option<&'a str>,
    is_to_be_remembered: bool,
}

/// What a password gets; `None` if it does not hold any more.
async fn ticket_or_tokens(
    app: &App,
    context: &RequestContext,
    proven: &Proven,
    (audience, device): (&str, Device<'_>),
) -> Result<Option<LoginAnswer>, ApiError> {
    let destination = Destination {
        client_id: LOGIN_CLIENT,
        audience,
    };
    if let Some(ticket) = ticket::issue(app, context, proven, &destination).await? {
        return Ok(Some(LoginAnswer::SecondFactor(required(ticket, context))));
    }
    let by = (&proven.authentication, Some(proven));
    let tokens = open(app, context, by, (audience, device)).await?;
    Ok(tokens.map(LoginAnswer::Tokens))
}

/// Opens a session, with which the try of a password ends if there was one.
async fn open(
    app: &App,
    context: &RequestContext,
    (authentication, proven): (&Authentication, Option<&Proven>),
    (audience, device): (&str, Device<'_>),
) -> Result<Option<TokenAnswer>, ApiError> {
    let grant = NewGrant {
        client_id: LOGIN_CLIENT,
        audience,
        scopes: None,
        action: action::AUTHN_LOGIN_SUCCESS,
    };
    let account = &authentication.account;
    let mut tx = app.database.write().await?;
    let Some(opened) = session::open(&mut tx, app, context, authentication, &grant).await? else {
        return Ok(None);
    };
    let mut answer = opened.answer;
    if device.is_to_be_remembered {
        answer.device_token =
            throttle::device::remember(&mut tx, &account.id, device.token, app.now()).await?;
    }
    if let Some(proven) = proven {
        proven.succeeded(&mut tx, app.now()).await?;
    }
    app.database.commit(tx).await?;
    Ok(Some(answer))
}

fn required(ticket: String, context: &RequestContext) -> SecondFactorRequired {
    SecondFactorRequired {
        r#type: "about:blank",
        title: "Forbidden",
        status: StatusCode::FORBIDDEN.as_u16(),
        code: "mfa_required",
        detail: "the password is right; a code of the second factor is needed as well",
        request_id: context.trace.request_id.clone(),
        ticket,
        expires_in: ticket::LIFETIME.as_secs(),
    }
}

/// Scopes of Gatelog itself come with its own audience only, so that an API never holds a token that is good for more.
fn known_audience(app: &App, asked: Option<String>) -> Result<String, ApiError> {
    match asked {
        None => Ok(GATELOG_AUDIENCE.to_owned()),
        Some(audience) if app.knows_audience(&audience) => Ok(audience),
        Some(_) => Err(ApiError::AudienceUnknown),
    }
}
