//! `GET /console/` and its files. Anybody may have them: they hold nothing that is not in the source.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::asset::Asset;

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Nothing but our own files and end points, and no text ever becomes markup: attackers write user agents and paths.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page at its right address.
#[utoipa::path(
    get,
    path = "/console",
    operation_id = "redirectToConsole",
    tag = "console",
    responses((status = 308, description = "To `/console/`"))
)]
pub(super) async fn redirect_to_console() -> Response {
    let headers = [
        (LOCATION, "/console/"),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::PERMANENT_REDIRECT, headers).into_response()
}

/// The console's page.
///
/// What it shows is in the fragment of its address, which no server sees.
#[utoipa::path(
    get,
    path = "/console/",
    operation_id = "readConsole",
    tag = "console",
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub(super) async fn read_page(headers: HeaderMap) -> Response {
    answer("index.html", &headers)
}

/// A file of the console.
///
/// With an `ETag`, and compressed by gzip for whoever takes that.
#[utoipa::path(
    get,
    path = "/console/{*path}",
    operation_id = "readConsoleFile",
    tag = "console",
    params(("path" = String, Path, description = "Such as `app.js`")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/javascript"),
        (status = 304, description = "It is as it was"),
        (status = 404, description = "There is no such file")
    )
)]
pub(super) async fn read_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(&path, &headers)
}

fn answer(path: &str, asked: &HeaderMap) -> Response {
    let mut response = match Asset::at(path) {
        Some(asset) => file(&asset, asked),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        // Asked about each time, so that a new version is whole at once.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (COOP, "same-origin"),
        (CORP, "same-origin"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn file(asset: &Asset, asked: &HeaderMap) -> Response {
    let is_gzip = takes_gzip(asked);
    let tag = tag(asset, is_gzip);
    let mut headers = HeaderMap::new();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    if is_known(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    let bytes = if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        asset.gzip()
    } else {
        asset.bytes.clone()
    };
    (headers, Body::from(bytes)).into_response()
}

/// A strong validator: each form has its own.
fn tag(asset: &Asset, is_gzip: bool) -> String {
    let number = asset
        .hash
        .iter()
        .take(16)
        .fold(0, |number: u128, byte| (number << 8) | u128::from(*byte));
    format!("\"{number:032x}{}\"", if is_gzip { "-gzip" } else { "" })
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let is_refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
}

fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag)
}
