//! `POST /oauth/token`, `/oauth/revoke` and `/oauth/introspect`.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA};
use utoipa::ToSchema;

use super::form::{Form, OAuthError};
use super::introspect::{Introspection, introspect};
use super::machine::{self, Asked};
use super::{TokenAnswer, revoke};
use crate::app::App;
use crate::authorize::{self, Presentation};
use crate::client::{self, Client, GrantType, Kind};
use crate::request::RequestContext;
use crate::session::{self, Presented, RefreshError};
use crate::sign_in::LOGIN_CLIENT;

/// The parameters of a request for tokens, for the document; they are read one by one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
struct TokenRequest {
    #[schema(max_length = 64)]
    grant_type: String,
    #[schema(max_length = 512)]
    refresh_token: Option<String>,
    /// Separated by spaces; no more than was granted.
    #[schema(max_length = 1024)]
    scope: Option<String>,
    /// The audience of the token (RFC 8707), one of the client's; its first if absent.
    #[schema(max_length = 128)]
    resource: Option<String>,
    #[schema(max_length = 64)]
    client_id: Option<String>,
    #[schema(max_length = 512)]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`
    #[schema(max_length = 64)]
    client_assertion_type: Option<String>,
    #[schema(max_length = 8192)]
    client_assertion: Option<String>,
}

/// A token, for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
struct AboutToken {
    /// An access token or a refresh token.
    #[schema(max_length = 8192)]
    token: String,
    /// Not needed: every kind of token is looked for.
    #[schema(max_length = 64)]
    token_type_hint: Option<String>,
    #[schema(max_length = 64)]
    client_id: Option<String>,
    #[schema(max_length = 512)]
    client_secret: Option<String>,
    #[schema(max_length = 64)]
    client_assertion_type: Option<String>,
    #[schema(max_length = 8192)]
    client_assertion: Option<String>,
}

/// Exchanges a grant for tokens. The password grant is not among them and never will be (RFC 9700 §2.4).
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "exchangeToken",
    tag = "oauth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Tokens", body = TokenAnswer),
        (status = 400, description = "`invalid_request`, `invalid_grant`, `invalid_scope`, `invalid_target`, `unauthorized_client` or `unsupported_grant_type`"),
        (status = 401, description = "`invalid_client`")
    )
)]
pub(super) async fn exchange(
    State(app): State<App>,
    context: RequestContext,
    request: Request,
) -> Result<TokenAnswer, OAuthError> {
    let headers = request.headers().clone();
    let form = Form::read(request).await?;
    let client = client::authenticate(&app, &context, &headers, &form).await?;
    match form.require("grant_type", "grant_type is missing")? {
        "refresh_token" => refresh(&app, &context, client.as_ref(), &form).await,
        "client_credentials" => {
            let client = client
                .filter(|client| client.kind == Kind::Confidential)
                .ok_or(OAuthError::InvalidClient)?;
            let asked = Asked {
                resource: form.resource()?,
                scope: form.get("scope"),
            };
            machine::grant(&app, &context, &client, asked).await
        }
        "authorization_code" => {
            let client = client.ok_or(OAuthError::InvalidRequest("client_id is missing"))?;
            redeem(&app, &context, &form, &client).await
        }
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}

/// A refresh token is its client's: a confidential one proves who it is for every refresh (RFC 6749 §6).
async fn refresh(
    app: &App,
    context: &RequestContext,
    client: Option<&Client>,
    form: &Form,
) -> Result<TokenAnswer, OAuthError> {
    if client.is_some_and(|client| !client.may(GrantType::RefreshToken)) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let presented = Presented {
        token: form.require("refresh_token", "refresh_token is missing")?,
        client_id: client.map_or(LOGIN_CLIENT, |client| &client.id),
        scope: form.get("scope"),
    };
    session::refresh(app, context, &presented)
        .await
        .map_err(|error| match error {
            RefreshError::Refused => OAuthError::InvalidGrant,
            RefreshError::ScopeExceeded => OAuthError::InvalidScope,
            RefreshError::Failed(error) => OAuthError::Failed(error),
        })
}

/// Revokes a token of the client that asks (RFC 7009). One that is unknown, expired or revoked already is no error.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    operation_id = "revokeToken",
    tag = "oauth",
    request_body(content = AboutToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is not good, or not any more"),
        (status = 400, description = "`invalid_request`, or `invalid_grant` for a token of another client, which is not revoked"),
        (status = 401, description = "`invalid_client`")
    )
)]
pub(super) async fn revoke_token(
    State(app): State<App>,
    context: RequestContext,
    request: Request,
) -> Result<StatusCode, OAuthError> {
    let headers = request.headers().clone();
    let form = Form::read(request).await?;
    let client = client::authenticate(&app, &context, &headers, &form).await?;
    let token = form.require("token", "token is missing")?;
    revoke::revoke(&app, &context, client.as_ref(), token).await?;
    Ok(StatusCode::OK)
}

/// Says whether a token is good now (RFC 7662), to a confidential client with the scope `introspect` and for its audiences.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    operation_id = "introspectToken",
    tag = "oauth",
    security(("client" = [])),
    request_body(content = AboutToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token is; `{\"active\": false}` and nothing else if it is not good", body = Introspection),
        (status = 400, description = "`invalid_request`"),
        (status = 401, description = "`invalid_client`: unknown, not proven, or not permitted to ask")
    )
)]
pub(super) async fn introspect_token(
    State(app): State<App>,
    context: RequestContext,
    request: Request,
) -> Result<Response, OAuthError> {
    let headers = request.headers().clone();
    // Who asks is known before anything else is said, even that the form cannot be read.
    let (form, unreadable) = match Form::read(request).await {
        Ok(form) => (form, None),
        Err(error) => (Form::default(), Some(error)),
    };
    let client = client::authenticate_introspector(&app, &context, &headers, &form).await?;
    if let Some(error) = unreadable {
        return Err(error);
    }
    let token = form.require("token", "token is missing")?;
    let answer = introspect(&app, &client, token).await?;
    Ok(([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], Json(answer)).into_response())
}

/// Exchanges an authorization code.
async fn redeem(
    app: &App,
    context: &RequestContext,
    form: &Form,
    client: &Client,
) -> Result<TokenAnswer, OAuthError> {
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let presentation = Presentation {
        code: form.require("code", "code is missing")?,
        verifier: form.require("code_verifier", "code_verifier is missing")?,
        redirect_uri: form.require("redirect_uri", "redirect_uri is missing")?,
        client_id: &client.id,
        is_first_party: client.is_first_party,
    };
    Box::pin(authorize::redeem(app, context, &presentation)).await
}
