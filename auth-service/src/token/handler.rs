//! `POST /oauth/token`.

use axum::extract::{Request, State};

use super::TokenAnswer;
use super::form::{Form, OAuthError};
use crate::app::App;
use crate::request::RequestContext;
use crate::session::{self, Presented, RefreshError};

/// Exchanges a grant for tokens. The password grant is not among them and never will be (RFC 9700 §2.4).
pub(super) async fn exchange(
    State(app): State<App>,
    context: RequestContext,
    request: Request,
) -> Result<TokenAnswer, OAuthError> {
    let form = Form::read(request).await?;
    match form.require("grant_type", "grant_type is missing")? {
        "refresh_token" => {
            let presented = Presented {
                token: form.require("refresh_token", "refresh_token is missing")?,
                client_id: form.get("client_id"),
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
