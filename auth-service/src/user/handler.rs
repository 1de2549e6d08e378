//! `POST /v1/admin/users`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::{Class, Outcome, action};
use utoipa::ToSchema;

use super::store::{InsertError, NewUser, insert};
use super::{ADMIN_SCOPE, Username, fresh_id};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::one_time_token::{self, Purpose};
use crate::request::{Caller, JsonBody, Operator, RequestContext};
use crate::{outbox, secret};

/// The user to make. Its password is nobody's business but its own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUserRequest {
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._@+-]*$")]
    username: Username,
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    roles: BTreeSet<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CreatedUserBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 64)]
    username: String,
    roles: BTreeSet<String>,
    /// What the user sets its password with, once.
    #[schema(max_length = 128)]
    password_token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

impl From<InsertError> for ApiError {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::UsernameTaken => Self::UsernameTaken,
            InsertError::RoleUnknown => Self::RoleUnknown,
            InsertError::Database(error) => Self::Database(error),
        }
    }
}

/// Makes a user without a password, and the one-time token that it sets one with.
#[utoipa::path(
    post,
    path = "/v1/admin/users",
    operation_id = "createUser",
    tag = "administration",
    security(("bearer" = ["admin"])),
    request_body = CreateUserRequest,
    responses(
        (status = 201, description = "The user is made", body = CreatedUserBody),
        (status = 409, description = "`username_taken`")
    )
)]
pub(super) async fn create_user(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    JsonBody(request): JsonBody<CreateUserRequest>,
) -> Result<Response, ApiError> {
    caller.require_scope(ADMIN_SCOPE)?;
    let now = app.now();
    let id = fresh_id();
    let token = secret::fresh_token(Purpose::Password.prefix()).map_err(Internal::from)?;
    let expires_at = now.plus(Purpose::Password.lifetime());
    let new = NewUser {
        id: &id,
        username: &request.username,
        password_hash: None,
        roles: &request.roles,
    };
    let mut tx = app.database.write().await?;
    insert(&mut tx, &new, now).await?;
    one_time_token::replace(&mut tx, Purpose::Password, Some(&id), &token, expires_at).await?;
    let roles: Vec<_> = request.roles.iter().cloned().collect();
    let facts = Operator::of(context, &caller)
        .facts(Class::Admin, action::USER_CREATED, Outcome::Success)
        .with_detail("user_id", id.as_str())
        .with_detail("username", request.username.as_str())
        .with_detail("roles", roles);
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    let body = CreatedUserBody {
        id,
        username: request.username.as_str().to_owned(),
        roles: request.roles,
        password_token: token,
        expires_at,
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
