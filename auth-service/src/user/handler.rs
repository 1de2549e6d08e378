//! `/v1/admin/users`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG};
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::http::DECISION;
use utoipa::{IntoParams, ToSchema};

use super::Username;
use super::administer::{self, Change};
use super::body::{CreatedUserBody, PasswordTokenBody};
use super::store::{Filter, InsertError, ShownUser};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, Enforcer, IfMatch, JsonBody, PageQuery, PathId, RecentSignIn, etag};

/// The user to make. Its password is nobody's business but its own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUserRequest {
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._@+-]*$")]
    username: Username,
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    roles: BTreeSet<String>,
}

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateUserRequest {
    #[schema(value_type = Option<Vec<crate::openapi::Name>>, max_items = 64)]
    roles: Option<BTreeSet<String>>,
    disabled: Option<bool>,
}

/// A user as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct UserBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 64)]
    username: String,
    #[schema(max_items = 64)]
    roles: Vec<String>,
    disabled: bool,
    /// Whether the user has set a password.
    has_password: bool,
    /// Whether the user has a second factor.
    has_second_factor: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    /// What `If-Match` names, in quotation marks.
    version: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct UsersBody {
    #[schema(max_items = 500)]
    users: Vec<UserBody>,
    /// What to give as `cursor` for the next page; null on the last.
    #[schema(max_length = 512)]
    next_cursor: Option<String>,
}

/// Which users are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// How their names begin.
    #[serde(default)]
    #[param(max_length = 64)]
    prefix: String,
    /// The role that they have.
    #[serde(default)]
    #[param(max_length = 128)]
    role: String,
    /// The `next_cursor` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// Users at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
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

impl From<ShownUser> for UserBody {
    fn from(user: ShownUser) -> Self {
        Self {
            id: user.id,
            username: user.username,
            roles: user.roles,
            disabled: user.disabled,
            has_password: user.has_password,
            has_second_factor: user.has_second_factor,
            created_at: UtcMicros::from_micros(user.created_at),
            version: user.version,
        }
    }
}

fn shown(user: ShownUser) -> Response {
    let tag = etag(user.version);
    let decision = user.disabling.clone().map(|decision| [(DECISION, decision)]);
    (decision, [(ETAG, tag)], Json(UserBody::from(user))).into_response()
}

/// Makes a user without a password, and the link with which it sets one, once.
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
    administrator: Administrator,
    JsonBody(request): JsonBody<CreateUserRequest>,
) -> Result<Response, ApiError> {
    let operator = administrator.operator;
    let created = administer::create(&app, &operator, &request.username, &request.roles).await?;
    let body = CreatedUserBody {
        id: created.id,
        username: request.username.as_str().to_owned(),
        roles: request.roles,
        password: PasswordTokenBody::of(&app.mint_rules.issuer, created.password),
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Users in the order of their names.
#[utoipa::path(
    get,
    path = "/v1/admin/users",
    operation_id = "listUsers",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(UsersQuery),
    responses((status = 200, description = "A page of users", body = UsersBody))
)]
pub(super) async fn list_users(
    State(app): State<App>,
    _: Administrator,
    query: Result<Query<UsersQuery>, QueryRejection>,
) -> Result<Json<UsersBody>, ApiError> {
    let Query(query) = query.map_err(|_| ApiError::QueryInvalid)?;
    if [&query.prefix, &query.role]
        .iter()
        .any(|text| text.contains('\0'))
    {
        return Err(ApiError::QueryInvalid);
    }
    let filter = Filter {
        prefix: &query.prefix,
        role: &query.role,
    };
    let page = PageQuery {
        cursor: query.cursor.clone(),
        limit: query.limit,
    };
    let (users, next_cursor) = administer::list(&app, &page, filter).await?;
    let users = users.into_iter().map(UserBody::from).collect();
    Ok(Json(UsersBody { users, next_cursor }))
}

/// One user, with its version as `ETag`.
#[utoipa::path(
    get,
    path = "/v1/admin/users/{id}",
    operation_id = "readUser",
    tag = "administration",
    security(("bearer" = ["admin"]), ("bearer" = ["enforcement:write"])),
    params(("id" = String, Path, max_length = 64)),
    responses((status = 200, description = "The user", body = UserBody), (status = 404, description = "`not_found`"))
)]
pub(super) async fn read_user(
    State(app): State<App>,
    _: Enforcer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    administer::find(&app, &id).await.map(shown)
}

/// Changes roles, or disables or enables. Tokens with the old roles are void at once; a disabled user's sessions end, and
/// `X-Gatelog-Decision` says by what name refusals know that.
#[utoipa::path(
    patch,
    path = "/v1/admin/users/{id}",
    operation_id = "updateUser",
    tag = "administration",
    security(("bearer" = ["admin"]), ("bearer" = ["enforcement:write"])),
    params(("id" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    request_body = UpdateUserRequest,
    responses(
        (status = 200, description = "The user as it is now", body = UserBody),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`last_administrator`; `disabled_by_another`: with `enforcement:write` one enables whom oneself alone has disabled"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn update_user(
    State(app): State<App>,
    enforcer: Enforcer,
    (PathId(id), seen): (PathId, IfMatch),
    JsonBody(request): JsonBody<UpdateUserRequest>,
) -> Result<Response, ApiError> {
    // Roles are not what is enforced.
    if request.roles.is_some() {
        enforcer.require_administrator()?;
    }
    let operator = enforcer.operator;
    let change = Change {
        roles: request.roles,
        disabled: request.disabled,
    };
    administer::update(&app, &operator, (&id, seen), &change)
        .await
        .map(shown)
}

/// Deletes a user and ends its sessions. Its name stays taken.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}",
    operation_id = "deleteUser",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    responses(
        (status = 204, description = "The user is gone"),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`last_administrator`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn delete_user(
    State(app): State<App>,
    administrator: Administrator,
    PathId(id): PathId,
    seen: IfMatch,
) -> Result<StatusCode, ApiError> {
    administer::delete(&app, &administrator.operator, &id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link with which the user sets a new password, once, within a day. Nobody chooses a password for another.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{id}/password-reset",
    operation_id = "resetPassword",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64)),
    responses(
        (status = 201, description = "The link, shown once", body = PasswordTokenBody),
        (status = 404, description = "`not_found`")
    )
)]
pub(super) async fn reset_password(
    State(app): State<App>,
    administrator: Administrator,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let token = administer::reset_password(&app, &administrator.operator, &id).await?;
    let body = Json(PasswordTokenBody::of(&app.mint_rules.issuer, token));
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Removes the second factor of a user who has lost it, and ends its sessions. Needs a sign-in of the last five minutes, with the
/// administrator's own second factor if there is one: no key does this.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{id}/mfa",
    operation_id = "resetSecondFactor",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    responses(
        (status = 204, description = "The second factor is gone"),
        (status = 401, description = "`reauthentication_required`, or as for every token"),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`mfa_not_enrolled`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn reset_second_factor(
    State(app): State<App>,
    (administrator, _): (Administrator, RecentSignIn),
    PathId(id): PathId,
    seen: IfMatch,
) -> Result<StatusCode, ApiError> {
    administer::reset_second_factor(&app, &administrator.operator, &id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}
