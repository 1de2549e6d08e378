//! `/oauth/userinfo` and `GET /.well-known/openid-configuration`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use shared::http::bearer::bearer_token;
use shared::token::{AudienceRule, Refusal};
use utoipa::ToSchema;

use crate::app::App;
use crate::authorize::scope;
use crate::error::ApiError;
use crate::metadata::{self, Metadata};
use crate::sign_in::Level;
use crate::{enforcement, user};

/// Who the bearer's user is (OpenID Connect Core §5.3.2).
#[derive(Serialize, ToSchema)]
pub(super) struct UserInfoBody {
    /// The user's id, the same in every token.
    #[schema(max_length = 64)]
    sub: String,
    /// With scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    preferred_username: Option<String>,
}

/// Who the user of the token is. Needs scope `openid`; a token for any audience will do.
#[utoipa::path(
    get,
    path = "/oauth/userinfo",
    operation_id = "readUserInfo",
    tag = "oauth",
    security(("bearer" = [])),
    responses((status = 200, description = "Who the user is", body = UserInfoBody))
)]
pub(super) async fn read_user(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = bearer_token(&headers)?.ok_or(ApiError::TokenMissing)?;
    enforcement::catch_up(&app.database, &app.guard, app.now()).await?;
    let verified = app
        .guard
        .admit(token, AudienceRule::Either)
        .map_err(|rejection| ApiError::TokenRefused(rejection.refusal))?;
    if !verified.has_scope(scope::OPENID) {
        return Err(ApiError::ScopeMissing(scope::OPENID));
    }
    let mut tx = app.database.read().await?;
    let account = match user::find(&mut tx, &verified.sub).await? {
        Some(account) if !account.is_disabled => account,
        _ => return Err(ApiError::TokenRefused(Refusal::Revoked)),
    };
    let body = UserInfoBody {
        sub: account.id,
        preferred_username: verified.has_scope(scope::PROFILE).then_some(account.username),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// The same by `POST`, with the token in `Authorization` too.
#[utoipa::path(
    post,
    path = "/oauth/userinfo",
    operation_id = "readUserInfoByPost",
    tag = "oauth",
    security(("bearer" = [])),
    responses((status = 200, description = "Who the user is", body = UserInfoBody))
)]
pub(super) async fn read_user_by_post(app: State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    read_user(app, headers).await
}

/// OpenID Connect Discovery §3: the metadata of the authorization server, and what OpenID adds.
#[derive(Serialize)]
struct ConfigurationBody<'a> {
    #[serde(flatten)]
    metadata: Metadata<'a>,
    userinfo_endpoint: String,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    prompt_values_supported: [&'static str; 4],
    acr_values_supported: [&'static str; 2],
    claims_supported: &'static [&'static str],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
}

/// What ID tokens and user info tell.
const CLAIMS: [&str; 12] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "amr",
    "acr",
    "at_hash",
    "sid",
    "preferred_username",
];

/// What clients can find out about the issuer by itself: only what works.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    operation_id = "readOpenIdConfiguration",
    tag = "discovery",
    responses((status = 200, description = "The configuration", body = Object))
)]
pub(super) async fn read_configuration(State(app): State<App>) -> Result<Response, ApiError> {
    let issuer = app.mint_rules.issuer.as_str();
    let ring = app.keys.ring();
    let body = ConfigurationBody {
        metadata: metadata::document(issuer),
        userinfo_endpoint: format!("{issuer}/oauth/userinfo"),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: [ring.signer(app.now())?.algorithm.as_str()],
        prompt_values_supported: ["none", "login", "consent", "select_account"],
        acr_values_supported: Level::ALL.map(Level::as_str),
        claims_supported: &CLAIMS,
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
    };
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response())
}
