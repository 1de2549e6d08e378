//! `/v1/api-keys`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::Class;
use utoipa::ToSchema;

use super::manage::{self, By, NewKey};
use crate::app::App;
use crate::client::secret::Wanted;
use crate::error::ApiError;
use crate::request::{Caller, JsonBody, Operator, PathId, RequestContext};
use crate::role::Scope;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateKeyRequest {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Some of your own.
    #[serde(default)]
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    scopes: BTreeSet<Scope>,
    /// Whom its tokens are for; `gatelog` if absent.
    #[schema(max_length = 128)]
    audience: Option<String>,
    #[schema(minimum = 1, maximum = 366)]
    expires_in_days: u16,
}

/// A key, shown once: `id` and `secret` are what a client authenticates with at `/oauth/token`.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedKeyBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 128)]
    secret: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

/// A key without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 256)]
    name: String,
    scopes: Vec<String>,
    audience: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<UtcMicros>,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<UtcMicros>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct KeysBody {
    keys: Vec<KeyBody>,
}

/// The caller's own keys.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    operation_id = "listApiKeys",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 200, description = "The keys, without their secrets", body = KeysBody))
)]
pub(super) async fn list_keys(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let user_id = caller.signed_in(&app).await?;
    let keys = manage::list(&app, user_id).await?;
    let shown = keys.into_iter().map(|(key, secret)| KeyBody {
        id: key.id,
        name: key.name,
        scopes: key.scopes,
        audience: key.audiences.into_iter().next(),
        created_at: key.created_at,
        expires_at: secret
            .as_ref()
            .map(|secret| UtcMicros::from_micros(secret.expires_at)),
        last_used_at: secret
            .and_then(|secret| secret.last_used_at)
            .map(UtcMicros::from_micros),
    });
    let body = Json(KeysBody {
        keys: shown.collect(),
    });
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Makes a key with some of the caller's scopes.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    operation_id = "createApiKey",
    tag = "account",
    security(("bearer" = [])),
    request_body = CreateKeyRequest,
    responses(
        (status = 201, description = "The key, shown once", body = CreatedKeyBody),
        (status = 403, description = "`sign_in_required`: a key makes no keys"),
        (status = 409, description = "`too_many_keys`")
    )
)]
pub(super) async fn create_key(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    JsonBody(request): JsonBody<CreateKeyRequest>,
) -> Result<Response, ApiError> {
    let user_id = caller.signed_in(&app).await?;
    let operator = Operator::of(context, &caller);
    let new = NewKey {
        wanted: Wanted {
            name: request.name,
            expires_in_days: request.expires_in_days,
        },
        scopes: request.scopes,
        audience: request.audience,
    };
    let by = By {
        operator: &operator,
        class: Class::Auth,
    };
    let created = manage::create(&app, &by, user_id, Some(&caller.0.scopes), &new).await?;
    let body = Json(CreatedKeyBody {
        id: created.id,
        secret: created.secret,
        expires_at: created.expires_at,
    });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Deletes one of the caller's own keys. Its tokens are void.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{id}",
    operation_id = "deleteApiKey",
    tag = "account",
    security(("bearer" = [])),
    params(("id" = String, Path, max_length = 64)),
    responses((status = 204, description = "The key is gone"), (status = 404, description = "`not_found`"))
)]
pub(super) async fn delete_key(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    let user_id = caller.signed_in(&app).await?;
    let operator = Operator::of(context, &caller);
    let by = By {
        operator: &operator,
        class: Class::Auth,
    };
    manage::delete(&app, &by, Some(user_id), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
