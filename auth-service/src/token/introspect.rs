//! Introspection (RFC 7662): whether a token is good now, for a client that may know.

use serde::Serialize;
use shared::clock::UtcMicros;
use shared::token::{AudienceRule, Verified};
use utoipa::ToSchema;

use super::OAuthError;
use crate::app::App;
use crate::client::Client;
use crate::enforcement;
use crate::error::ApiError;
use crate::session::{self, Named};

/// What a token is. Of one that is not active nothing else is told (§2.2).
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aud: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

/// Says what `token` is to a client that may ask. A token for an audience that is not the client's is none to it.
pub(super) async fn introspect(app: &App, client: &Client, token: &str) -> Result<Introspection, OAuthError> {
    let now = app.now();
    let mut tx = app.database.read().await?;
    let named = session::named_by(&mut tx, app, token, now).await?;
    drop(tx);
    if let Some(named) = named {
        let may = named.is_live && client.audiences.contains(&named.audience);
        return Ok(if may {
            of_refresh(app, named)
        } else {
            Introspection::default()
        });
    }
    enforcement::catch_up(&app.database, &app.guard, now).await?;
    match app.guard.admit(token, AudienceRule::Either) {
        Ok(verified) if verified.aud.iter().any(|aud| client.audiences.contains(aud)) => {
            Ok(of_access(&verified))
        }
        Err(rejection) if rejection.refusal.is_ours() => {
            Err(OAuthError::Failed(ApiError::TokenRefused(rejection.refusal)))
        }
        Ok(_) | Err(_) => Ok(Introspection::default()),
    }
}

fn of_access(verified: &Verified) -> Introspection {
    Introspection {
        active: true,
        scope: Some(verified.scopes.join(" ")),
        client_id: verified.client_id.clone(),
        username: verified.username.clone(),
        token_type: Some("Bearer"),
        exp: Some(verified.expires_at.as_seconds()),
        iat: verified.issued_at.map(UtcMicros::as_seconds),
        sub: Some(verified.sub.clone()),
        aud: verified.aud.clone(),
        iss: Some(verified.iss.clone()),
        jti: verified.jti.clone(),
        sid: verified.sid.clone(),
    }
}

/// A refresh token has no type of its own among those of RFC 6749 §7.1.
fn of_refresh(app: &App, named: Named) -> Introspection {
    Introspection {
        active: true,
        scope: Some(named.scopes.join(" ")),
        client_id: Some(named.client_id),
        username: Some(named.username),
        token_type: None,
        exp: Some(named.expires_at.as_seconds()),
        iat: Some(named.issued_at.as_seconds()),
        sub: Some(named.user_id),
        aud: vec![named.audience],
        iss: Some(app.mint_rules.issuer.clone()),
        jti: None,
        sid: Some(named.sid),
    }
}
