//! `POST /v1/password` and `POST /v1/password/change`.

use std::fmt;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::check;
use super::replace::{By, replace};
use super::set::set_with_token;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{JsonBody, RecentSignIn, RequestContext};
use crate::{sign_in, user};

/// The one-time token and the password that its user chooses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPasswordRequest {
    #[schema(max_length = 128)]
    token: String,
    /// At least 15 characters.
    #[schema(min_length = 15, max_length = 1024)]
    password: String,
}

impl fmt::Debug for SetPasswordRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SetPasswordRequest(…)")
    }
}

/// Sets the password of the user that the token was made for. A password that is refused does not use the token up.
#[utoipa::path(
    post,
    path = "/v1/password",
    operation_id = "setPassword",
    tag = "account",
    request_body = SetPasswordRequest,
    responses(
        (status = 204, description = "The password is set"),
        (status = 403, description = "`one_time_token_refused`")
    )
)]
pub(super) async fn set_password(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<SetPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    set_with_token(&app, &context, &request.token, request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The password that the caller has and the one that it chooses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePasswordRequest {
    #[schema(min_length = 1, max_length = 1024)]
    current_password: String,
    /// At least 15 characters.
    #[schema(min_length = 15, max_length = 1024)]
    password: String,
}

impl fmt::Debug for ChangePasswordRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChangePasswordRequest(…)")
    }
}

/// Changes the caller's own password and ends its other sessions. Needs a sign-in of the last five minutes, with the second factor if
/// there is one. The present password counts like a sign-in, failures too.
#[utoipa::path(
    post,
    path = "/v1/password/change",
    operation_id = "changePassword",
    tag = "account",
    security(("bearer" = [])),
    request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 401, description = "`bad_credentials`: the present password is another one; `reauthentication_required`"),
        (status = 403, description = "`sign_in_required`: this is nothing for a client that acts for itself"),
        (status = 429, description = "`too_many_attempts`")
    )
)]
pub(super) async fn change_password(
    State(app): State<App>,
    recent: RecentSignIn,
    JsonBody(request): JsonBody<ChangePasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let (caller, context) = (&recent.caller, recent.operator.context());
    let mut tx = app.database.read().await?;
    let account = user::find(&mut tx, &caller.0.sub)
        .await?
        .ok_or(ApiError::SignInRequired)?;
    drop(tx);
    // Asked first: a password that is refused for being weak tells nothing to who does not know the present one.
    let proven = sign_in::password(&app, context, &account.username, request.current_password, None)
        .await?
        .at_once(&app)
        .await?;
    check(&app, &request.password, &account.username).await?;
    let hash = app.hasher.hash(request.password).await?;
    let mut tx = app.database.write().await?;
    user::lock(&mut tx, &account.id).await?;
    let current = user::find(&mut tx, &account.id)
        .await?
        .ok_or(ApiError::BadCredentials)?;
    if current.password_hash != proven.account.password_hash || current.is_disabled {
        return Err(ApiError::BadCredentials);
    }
    let actor = caller.actor();
    let by = By {
        context,
        actor: &actor,
        proof: "current_password",
        keeps: caller.0.sid.as_deref(),
    };
    replace(&mut tx, &app, &current, &hash, &by).await?;
    app.database.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}
