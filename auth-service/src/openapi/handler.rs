//! `GET /openapi.json` and `GET /docs`.

use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use super::DESCRIPTION;

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "readDescription",
    tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn read_description() -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, DESCRIPTION.json.as_str()).into_response()
}

/// This document as a page for people, without a script and without a request to anywhere else.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "readDocumentation",
    tag = "operation",
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub(super) async fn read_page() -> Response {
    let page = &DESCRIPTION.page;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, page.policy.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page.html.as_str()).into_response()
}
