//! `/v1/admin/roles`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::ETAG;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::administer;
use super::name::{RoleName, Scope};
use super::store::Role;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, IfMatch, JsonBody, PathId, etag};

/// A role to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRoleRequest {
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z][A-Za-z0-9._-]*$")]
    name: RoleName,
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    scopes: BTreeSet<Scope>,
}

/// The scopes of a role from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateRoleRequest {
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    scopes: BTreeSet<Scope>,
}

/// A role.
#[derive(Serialize, ToSchema)]
pub(super) struct RoleBody {
    #[schema(max_length = 64)]
    name: String,
    #[schema(max_items = 64)]
    scopes: Vec<String>,
    /// What `If-Match` names, in quotation marks.
    version: i64,
}

/// Every role, by name.
#[derive(Serialize, ToSchema)]
pub(super) struct RolesBody {
    #[schema(max_items = 200)]
    roles: Vec<RoleBody>,
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        Self {
            scopes: role.scopes.split_whitespace().map(str::to_owned).collect(),
            name: role.name,
            version: role.version,
        }
    }
}

fn shown(status: StatusCode, role: Role) -> Response {
    let tag = etag(role.version);
    (status, [(ETAG, tag)], Json(RoleBody::from(role))).into_response()
}

/// Every role with its scopes.
#[utoipa::path(
    get,
    path = "/v1/admin/roles",
    operation_id = "listRoles",
    tag = "administration",
    security(("bearer" = ["admin"])),
    responses((status = 200, description = "The roles", body = RolesBody))
)]
pub(super) async fn list_roles(
    State(app): State<App>,
    _: Administrator,
) -> Result<Json<RolesBody>, ApiError> {
    let roles = administer::list(&app).await?;
    let roles = roles.into_iter().map(RoleBody::from).collect();
    Ok(Json(RolesBody { roles }))
}

/// Makes a role.
#[utoipa::path(
    post,
    path = "/v1/admin/roles",
    operation_id = "createRole",
    tag = "administration",
    security(("bearer" = ["admin"])),
    request_body = CreateRoleRequest,
    responses(
        (status = 201, description = "The role is made", body = RoleBody),
        (status = 409, description = "`role_taken`")
    )
)]
pub(super) async fn create_role(
    State(app): State<App>,
    administrator: Administrator,
    JsonBody(request): JsonBody<CreateRoleRequest>,
) -> Result<Response, ApiError> {
    let operator = administrator.operator;
    let role = administer::create(&app, &operator, &request.name, &request.scopes).await?;
    Ok(shown(StatusCode::CREATED, role))
}

/// Gives a role other scopes. Tokens of those who have it are void at once; their sessions go on.
#[utoipa::path(
    patch,
    path = "/v1/admin/roles/{name}",
    operation_id = "updateRole",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("name" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    request_body = UpdateRoleRequest,
    responses(
        (status = 200, description = "The role as it is now", body = RoleBody),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`role_built_in`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn update_role(
    State(app): State<App>,
    administrator: Administrator,
    (PathId(name), seen): (PathId, IfMatch),
    JsonBody(request): JsonBody<UpdateRoleRequest>,
) -> Result<Response, ApiError> {
    let operator = administrator.operator;
    let role = administer::update(&app, &operator, (&name, seen), &request.scopes).await?;
    Ok(shown(StatusCode::OK, role))
}

/// Deletes a role that nobody has.
#[utoipa::path(
    delete,
    path = "/v1/admin/roles/{name}",
    operation_id = "deleteRole",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("name" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    responses(
        (status = 204, description = "The role is gone"),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`role_in_use` or `role_built_in`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn delete_role(
    State(app): State<App>,
    administrator: Administrator,
    PathId(name): PathId,
    seen: IfMatch,
) -> Result<StatusCode, ApiError> {
    administer::delete(&app, &administrator.operator, &name, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}
