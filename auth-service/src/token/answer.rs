//! The answer that carries tokens (RFC 6749 §5.1), the same for sign-in and refresh.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, PRAGMA};
use serde::Serialize;
use utoipa::ToSchema;

/// Tokens on their way to a client. Never logged, never cached.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: u32,
    /// None for a client that acts for itself, nor for one of somebody else that did not ask for `offline_access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    /// With scope `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
    pub(crate) scope: String,
    /// What this device shows at the next sign-in, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_token: Option<String>,
}

impl TokenAnswer {
    /// An answer with bearer tokens (RFC 6750).
    pub(crate) fn bearer(
        access_token: String,
        expires_in: u32,
        refresh_token: Option<String>,
        scope: String,
    ) -> Self {
        Self {
            access_token,
            token_type: "Bearer",
            expires_in,
            refresh_token,
            id_token: None,
            scope,
            device_token: None,
        }
    }
}

impl IntoResponse for TokenAnswer {
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(self)).into_response()
    }
}
