//! `GET /.well-known/jwks.json` and `/v1/admin/keys`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use utoipa::{IntoParams, ToSchema};

use super::administer::{self, ShownKey};
use super::plan::CACHEABLE;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, PathId};

/// The media type of RFC 7517 §8.5.
const JWK_SET: &str = "application/jwk-set+json";

/// A key, without any half of it.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyBody {
    /// Its RFC 7638 thumbprint.
    #[schema(max_length = 64)]
    kid: String,
    #[schema(value_type = String, max_length = 8)]
    algorithm: &'static str,
    /// `pre_published`, `active`, `retiring`, `retired` or `revoked`.
    #[schema(value_type = String, max_length = 16)]
    state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    /// From when on it signs; null while it waits for a command.
    #[schema(value_type = Option<String>, format = DateTime)]
    signs_from: Option<UtcMicros>,
}

/// Every key, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct KeysBody {
    #[schema(max_items = 1000)]
    keys: Vec<KeyBody>,
}

/// Whether only to say what would happen.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRunQuery {
    /// Whether only to say what would happen.
    #[serde(default)]
    dry_run: bool,
}

impl From<ShownKey> for KeyBody {
    fn from(key: ShownKey) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm.as_str(),
            state: key.state.as_str(),
            created_at: key.created_at,
            signs_from: key.signs_from,
        }
    }
}

/// The public keys of every signature that may be valid (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "readKeySet",
    tag = "discovery",
    params(("If-None-Match" = Option<String>, Header, max_length = 256)),
    responses(
        (status = 200, description = "The keys, which may be kept for five minutes", content_type = "application/jwk-set+json",
            body = ref("#/components/schemas/JwkSet"), headers(("ETag" = String))),
        (status = 304, description = "The set is the one that `If-None-Match` names")
    )
)]
pub(super) async fn read_key_set(State(app): State<App>, headers: HeaderMap) -> Response {
    let set = app.keys.ring().published(app.now());
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().trim_start_matches("W/") == set.etag);
    let caching = [
        (ETAG, set.etag),
        (CACHE_CONTROL, format!("public, max-age={}", CACHEABLE.as_secs())),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, JWK_SET)], set.jwks).into_response()
}

/// Every signing key and where it is in its life.
#[utoipa::path(
    get,
    path = "/v1/admin/keys",
    operation_id = "listKeys",
    tag = "administration",
    security(("bearer" = ["admin"])),
    responses((status = 200, description = "The keys", body = KeysBody))
)]
pub(super) async fn list_keys(State(app): State<App>, _: Administrator) -> Result<Json<KeysBody>, ApiError> {
    let keys = administer::list(&app)
        .await?
        .into_iter()
        .map(KeyBody::from)
        .collect();
    Ok(Json(KeysBody { keys }))
}

/// Lets the next key sign as soon as every verifier knows it.
#[utoipa::path(
    post,
    path = "/v1/admin/keys/rotate",
    operation_id = "rotateKeys",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(DryRunQuery),
    responses((status = 200, description = "The key that signs next, and from when on", body = KeyBody))
)]
pub(super) async fn rotate_keys(
    State(app): State<App>,
    administrator: Administrator,
    query: Result<Query<DryRunQuery>, QueryRejection>,
) -> Result<Json<KeyBody>, ApiError> {
    let Query(DryRunQuery { dry_run }) = query.map_err(|_| ApiError::QueryInvalid)?;
    let key = administer::rotate(&app, &administrator.operator, dry_run).await?;
    Ok(Json(key.into()))
}

/// Takes a key out of service at once, for an emergency: every token that it signed is void.
#[utoipa::path(
    post,
    path = "/v1/admin/keys/{kid}/revoke",
    operation_id = "revokeKey",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("kid" = String, Path, max_length = 64), DryRunQuery),
    responses(
        (status = 200, description = "The key as it is now", body = KeyBody),
        (status = 404, description = "`not_found`")
    )
)]
pub(super) async fn revoke_key(
    State(app): State<App>,
    administrator: Administrator,
    PathId(kid): PathId,
    query: Result<Query<DryRunQuery>, QueryRejection>,
) -> Result<Json<KeyBody>, ApiError> {
    let Query(DryRunQuery { dry_run }) = query.map_err(|_| ApiError::QueryInvalid)?;
    let key = administer::revoke(&app, &administrator.operator, &kid, dry_run).await?;
    Ok(Json(key.into()))
}
