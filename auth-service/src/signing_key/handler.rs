//! `GET /.well-known/jwks.json`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};

use crate::app::App;

/// How long verifiers may keep the set; a new key is published for longer before it signs.
const CACHEABLE: &str = "public, max-age=300";

/// The media type of RFC 7517 §8.5.
const JWK_SET: &str = "application/jwk-set+json";

/// Answers with the public keys.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "readKeySet",
    tag = "discovery",
    responses(
        (status = 200, description = "The keys", content_type = "application/jwk-set+json",
            body = ref("#/components/schemas/JwkSet"), headers(("ETag" = String))),
        (status = 304, description = "The set is the one that `If-None-Match` names")
    )
)]
pub(super) async fn read_key_set(State(app): State<App>, headers: HeaderMap) -> Response {
    let etag = app.keys.etag().to_owned();
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| candidate.trim().trim_start_matches("W/") == etag);
    let caching = [(ETAG, etag), (CACHE_CONTROL, CACHEABLE.to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, JWK_SET)], app.keys.jwks().to_vec()).into_response()
}
