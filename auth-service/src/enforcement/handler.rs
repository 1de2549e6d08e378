//! `GET /v1/enforcement?since=`, for services only.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use shared::http::bearer::bearer_token;
use subtle::ConstantTimeEq as _;

use super::store;
use crate::app::App;
use crate::error::ApiError;

/// The cursor of the last entry that the caller knows; 0 or nothing for all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    #[serde(default)]
    since: i64,
}

/// Answers with a [`shared::enforcement::Page`] to who shows the service token.
#[utoipa::path(
    get,
    path = "/v1/enforcement",
    operation_id = "readEnforcement",
    tag = "services",
    security(("service" = [])),
    params(("since" = Option<i64>, Query, minimum = 0,
        description = "The cursor of the last entry that is known; 0 or nothing for all")),
    responses(
        (status = 200, description = "Entries", body = ref("#/components/schemas/EnforcementPage")),
        (status = 401, description = "`service_token_refused`")
    )
)]
pub(super) async fn read_enforcement(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<Since>, QueryRejection>,
) -> Result<Response, ApiError> {
    let shown = bearer_token(&headers)?.ok_or(ApiError::TokenMissing)?;
    let expected = app.service_token.expose_secret().as_bytes();
    if !bool::from(shown.as_bytes().ct_eq(expected)) {
        return Err(ApiError::ServiceTokenRefused);
    }
    let Query(Since { since }) = query.map_err(|_| ApiError::QueryInvalid)?;
    if since < 0 {
        return Err(ApiError::QueryInvalid);
    }
    let mut tx = app.database.read().await?;
    let page = store::page(&mut tx, since, app.now()).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(page)).into_response())
}
