//! The verified party behind a request.

use axum::extract::FromRequestParts;
use http::request::Parts;
use shared::event::Actor;
use shared::guard::Admitted;
use shared::http::bearer::bearer_token;
use shared::token::AudienceRule;

use crate::app::App;
use crate::error::ApiError;
use crate::sign_in::LOGIN_CLIENT;
use crate::{client, enforcement};

/// Whoever presents a token for the audience `gatelog`.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Admitted);

impl Caller {
    /// Whom events name.
    pub(crate) fn actor(&self) -> Actor {
        self.0.actor()
    }

    /// The user, if it has signed in itself. A key acts for it, and so does a client of somebody else that it has let in for something
    /// else: neither is the user when it is about what the user signs in with.
    pub(crate) async fn signed_in(&self, app: &App) -> Result<&str, ApiError> {
        let (Some(_), Some(client_id)) = (&self.0.sid, &self.0.client_id) else {
            return Err(ApiError::SignInRequired);
        };
        if client_id == LOGIN_CLIENT {
            return Ok(&self.0.sub);
        }
        let mut tx = app.database.read().await?;
        match client::find_any(app, &mut tx, client_id).await? {
            Some(client) if client.is_first_party => Ok(&self.0.sub),
            _ => Err(ApiError::SignInRequired),
        }
    }

    /// Refuses a caller without that scope.
    pub(crate) fn require_scope(&self, scope: &'static str) -> Result<(), ApiError> {
        if self.0.has_scope(scope) {
            Ok(())
        } else {
            Err(ApiError::ScopeMissing(scope))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    /// Revocations are read from the database for every request, so that here they are in force at once.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer_token(&parts.headers)?.ok_or(ApiError::TokenMissing)?;
        enforcement::catch_up(&app.database, &app.guard, app.now()).await?;
        app.guard
            .admit(token, AudienceRule::Gatelog)
            .map(Self)
            .map_err(|rejection| ApiError::TokenRefused(rejection.refusal))
    }
}
