//! `GET /api/me`: who the door thinks the caller is.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::Serialize;
use shared::clock::UtcMicros;
use shared::token::Verified;
use utoipa::ToSchema;

/// Who calls, as the token says it.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct Body<'c> {
    sub: &'c str,
    username: Option<&'c str>,
    client_id: Option<&'c str>,
    issuer: &'c str,
    audience: &'c [String],
    scopes: &'c [String],
    roles: &'c [String],
    session: Option<&'c str>,
    token_id: Option<&'c str>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

/// Who the door thinks you are.
#[utoipa::path(
    get,
    path = "/api/me",
    operation_id = "readMe",
    tag = "caller",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The bearer of the token", body = Body<'_>),
        (status = 401, description = "There is no token, or none that is good: `token_…`")
    )
)]
pub(crate) fn answer(caller: &Verified) -> Response {
    let body = Body {
        sub: &caller.sub,
        username: caller.username.as_deref(),
        client_id: caller.client_id.as_deref(),
        issuer: &caller.iss,
        audience: &caller.aud,
        scopes: &caller.scopes,
        roles: &caller.roles,
        session: caller.sid.as_deref(),
        token_id: caller.jti.as_deref(),
        expires_at: caller.expires_at,
    };
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
