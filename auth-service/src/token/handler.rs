//! `POST /oauth/token`.

use axum::extract::{Request, State};
use utoipa::ToSchema;

use super::TokenAnswer;
use super::form::{Form, OAuthError};
use crate::app::App;
use crate::client;
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
    #[schema(max_length = 64)]
    client_id: Option<String>,
    /// Separated by spaces; no more than was granted.
    #[schema(max_length = 1024)]
    scope: Option<String>,
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
        (status = 400, description = "`invalid_request`, `invalid_grant`, `invalid_scope` or `unsupported_grant_type`"),
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
        "refresh_token" => {
            let presented = Presented {
                token: form.require("refresh_token", "refresh_token is missing")?,
                client_id: client.as_ref().map_or(LOGIN_CLIENT, |client| &client.id),
                scope: form.get("scope"),
            };
            session::refresh(&app, &context, &presented)
                .await
                .map_err(|error| match error {
                    RefreshError::Refused => OAuthError::InvalidGrant,
                    RefreshError::ScopeExceeded => OAuthError::InvalidScope,
                    RefreshError::Failed(error) => OAuthError::Failed(error),
                })
        }
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}
