//! `POST /v1/password`.

use std::fmt;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::event::{Actor, Class, Identity, Outcome, action};
use utoipa::ToSchema;

use super::check;
use crate::app::App;
use crate::error::ApiError;
use crate::one_time_token::{self, Purpose};
use crate::outbox;
use crate::request::{JsonBody, RequestContext};
use crate::session::{self, EndReason, Ending};
use crate::throttle;
use crate::user::{self, Account};

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
    let Some(account) = find_account(&app, &request.token).await? else {
        return Err(one_time_token::refuse(&app, &context, Purpose::Password).await);
    };
    check(&app, &request.password, &account.username).await?;
    let hash = app.hasher.hash(request.password).await?;
    let now = app.now();
    let mut tx = app.database.write().await?;
    if !one_time_token::consume(&mut tx, Purpose::Password, &request.token, now).await? {
        drop(tx);
        return Err(one_time_token::refuse(&app, &context, Purpose::Password).await);
    }
    user::set_password(&mut tx, &account.id, &hash).await?;
    throttle::forget_former_password(&mut tx, &app, &account.id, &account.username).await?;
    let actor = Actor {
        identity: Identity::Verified,
        sub: Some(account.id.clone()),
        username: Some(account.username),
        ..Actor::default()
    };
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_PASSWORD_CHANGE,
            Outcome::Success,
            actor.clone(),
        )
        .with_detail("by", "one_time_token");
    outbox::append(&mut tx, now, facts).await?;
    let ending = Ending {
        context: &context,
        actor: &actor,
        reason: EndReason::PasswordChange,
        now,
    };
    session::end_all_of(&mut tx, &account.id, None, &ending).await?;
    app.database.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The user that a good token was made for.
async fn find_account(app: &App, token: &str) -> Result<Option<Account>, ApiError> {
    let mut tx = app.database.read().await?;
    match one_time_token::find(&mut tx, Purpose::Password, token, app.now()).await? {
        Some(Some(user_id)) => Ok(user::find(&mut tx, &user_id).await?),
        Some(None) | None => Ok(None),
    }
}
