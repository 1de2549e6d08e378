//! `GET /.well-known/oauth-authorization-server`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;

use super::document::document;
use crate::app::App;
use crate::error::ApiError;

/// What clients can find out about this authorization server.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "readMetadata",
    tag = "discovery",
    responses((status = 200, description = "RFC 8414 metadata: only what works", body = Object))
)]
pub(super) async fn read_metadata(State(app): State<App>) -> Response {
    let body = Json(document(&app.mint_rules.issuer));
    ([(CACHE_CONTROL, "public, max-age=300")], body).into_response()
}

/// The same, where clients look for it if the issuer has a path (RFC 8414 §3.1).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server/{*path}",
    operation_id = "readMetadataOfPath",
    tag = "discovery",
    params(("path" = String, Path, max_length = 256, description = "The path of the issuer, without its first slash")),
    responses(
        (status = 200, description = "RFC 8414 metadata: only what works", body = Object),
        (status = 404, description = "`not_found`: the issuer has another path, or none")
    )
)]
pub(super) async fn read_metadata_of_path(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    if super::document::path_of(&app.mint_rules.issuer) != Some(path) {
        return Err(ApiError::NotFound);
    }
    Ok(read_metadata(State(app)).await)
}
