//! `GET /.well-known/oauth-authorization-server`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::Serialize;

use crate::app::App;

/// RFC 8414 §2. Addresses are made from the issuer in settings, never from the request.
#[derive(Serialize)]
struct MetadataBody<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 1],
    /// Required by the RFC, and empty while there is no authorization end point.
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: [&'static str; 1],
}

/// Answers with the metadata.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "readMetadata",
    tag = "discovery",
    responses((status = 200, description = "RFC 8414 metadata: only what works", body = Object))
)]
pub(super) async fn read_metadata(State(app): State<App>) -> Response {
    let issuer = app.mint_rules.issuer.as_str();
    let body = MetadataBody {
        issuer,
        token_endpoint: format!("{issuer}/oauth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        grant_types_supported: ["refresh_token"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ["none"],
    };
    ([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}
