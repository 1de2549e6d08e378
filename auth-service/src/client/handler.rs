//! `/v1/admin/clients`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG};

use super::administer;
use super::body::{
    ClientBody, ClientsBody, CreateClientRequest, CreateSecretRequest, CreatedSecretBody, UpdateClientRequest,
};
use super::model::Client;
use super::secret::Secret;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, IfMatch, JsonBody, PageQuery, PathId, etag};

fn shown(status: StatusCode, client: Client, secrets: Vec<Secret>) -> Response {
    let tag = etag(client.version);
    (status, [(ETAG, tag)], Json(ClientBody::of(client, secrets))).into_response()
}

/// Clients in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/admin/clients",
    operation_id = "listClients",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(PageQuery),
    responses((status = 200, description = "A page of clients, without their secrets", body = ClientsBody))
)]
pub(super) async fn list_clients(
    State(app): State<App>,
    _: Administrator,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<ClientsBody>, ApiError> {
    let Query(page) = query.map_err(|_| ApiError::QueryInvalid)?;
    let (clients, next_cursor) = administer::list(&app, &page).await?;
    let clients = clients
        .into_iter()
        .map(|client| ClientBody::of(client, Vec::new()))
        .collect();
    Ok(Json(ClientsBody { clients, next_cursor }))
}

/// Registers a client. It has no secret yet.
#[utoipa::path(
    post,
    path = "/v1/admin/clients",
    operation_id = "createClient",
    tag = "administration",
    security(("bearer" = ["admin"])),
    request_body = CreateClientRequest,
    responses((status = 201, description = "The client is registered", body = ClientBody))
)]
pub(super) async fn create_client(
    State(app): State<App>,
    administrator: Administrator,
    JsonBody(request): JsonBody<CreateClientRequest>,
) -> Result<Response, ApiError> {
    let registration = request.registration()?;
    let client = administer::create(&app, &administrator.operator, registration).await?;
    Ok(shown(StatusCode::CREATED, client, Vec::new()))
}

/// One client with its secrets, but for what makes them such, and its version as `ETag`.
#[utoipa::path(
    get,
    path = "/v1/admin/clients/{id}",
    operation_id = "readClient",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64)),
    responses((status = 200, description = "The client", body = ClientBody), (status = 404, description = "`not_found`"))
)]
pub(super) async fn read_client(
    State(app): State<App>,
    _: Administrator,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let (client, secrets) = administer::read(&app, &id).await?;
    Ok(shown(StatusCode::OK, client, secrets))
}

/// Changes a client. If it may do less from now on, its tokens are void at once.
#[utoipa::path(
    patch,
    path = "/v1/admin/clients/{id}",
    operation_id = "updateClient",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    request_body = UpdateClientRequest,
    responses(
        (status = 200, description = "The client as it is now", body = ClientBody),
        (status = 404, description = "`not_found`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn update_client(
    State(app): State<App>,
    administrator: Administrator,
    (PathId(id), seen): (PathId, IfMatch),
    JsonBody(request): JsonBody<UpdateClientRequest>,
) -> Result<Response, ApiError> {
    let request = request.checked()?;
    let change = |registration| request.apply(registration);
    let client = administer::update(&app, &administrator.operator, (&id, seen), change).await?;
    Ok(shown(StatusCode::OK, client, Vec::new()))
}

/// Deletes a client. Its secrets and tokens are void.
#[utoipa::path(
    delete,
    path = "/v1/admin/clients/{id}",
    operation_id = "deleteClient",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64), ("If-Match" = String, Header, max_length = 32)),
    responses(
        (status = 204, description = "The client is gone"),
        (status = 404, description = "`not_found`"),
        (status = 412, description = "`precondition_failed`"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn delete_client(
    State(app): State<App>,
    administrator: Administrator,
    PathId(id): PathId,
    seen: IfMatch,
) -> Result<StatusCode, ApiError> {
    administer::delete(&app, &administrator.operator, &id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a secret, beside the one that the client has.
#[utoipa::path(
    post,
    path = "/v1/admin/clients/{id}/secrets",
    operation_id = "createClientSecret",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64)),
    request_body = CreateSecretRequest,
    responses(
        (status = 201, description = "The secret, shown once", body = CreatedSecretBody),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`too_many_secrets`: there are two that are good")
    )
)]
pub(super) async fn create_secret(
    State(app): State<App>,
    administrator: Administrator,
    PathId(id): PathId,
    JsonBody(request): JsonBody<CreateSecretRequest>,
) -> Result<Response, ApiError> {
    let wanted = request.into();
    let created = administer::add_secret(&app, &administrator.operator, &id, &wanted).await?;
    let body = Json(CreatedSecretBody::from(created));
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Deletes a secret, which is not good from now on.
#[utoipa::path(
    delete,
    path = "/v1/admin/clients/{id}/secrets/{secret}",
    operation_id = "deleteClientSecret",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, max_length = 64), ("secret" = String, Path, max_length = 64)),
    responses(
        (status = 204, description = "The secret is not good any more"),
        (status = 404, description = "`not_found`")
    )
)]
pub(super) async fn delete_secret(
    State(app): State<App>,
    administrator: Administrator,
    Path((id, secret)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    if id.contains('\0') || secret.contains('\0') {
        return Err(ApiError::NotFound);
    }
    administer::delete_secret(&app, &administrator.operator, &id, &secret).await?;
    Ok(StatusCode::NO_CONTENT)
}
