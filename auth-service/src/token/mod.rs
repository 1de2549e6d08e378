//! Tokens: what they claim, their signature, and the token end point.

mod answer;
mod form;
mod handler;
mod introspect;
mod machine;
mod mint;
mod revoke;
mod sign;

use shared::clock::UtcMicros;
use shared::event::{Actor, Class, Facts, Outcome, TokenFacts, action};
use shared::token::{AccessClaims, TOKEN_TYPE};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::request::RequestContext;
use crate::secret;
pub(crate) use answer::TokenAnswer;
pub(crate) use form::{Form, OAuthError};
pub(crate) use machine::INTROSPECT_SCOPE;
pub(crate) use mint::{Grant, MintRules};
pub(crate) use sign::{SignError, sign};

/// Bytes of a token's id: RFC 9068 wants it unique, 128 random bits are.
const JTI_BYTES: usize = 16;

/// `POST /oauth/token`, `/oauth/revoke` and `/oauth/introspect`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::exchange))
        .routes(routes!(handler::revoke_token))
        .routes(routes!(handler::introspect_token))
}

/// A signed access token and the event that tells of it.
pub(crate) struct Minted {
    pub(crate) token: String,
    pub(crate) event: Facts,
}

/// Mints and signs an access token for `grant`, issued at that moment.
pub(crate) fn mint_signed(
    app: &App,
    context: &RequestContext,
    grant: &Grant<'_>,
    issued_at: UtcMicros,
) -> Result<Minted, ApiError> {
    let jti = jti().map_err(Internal::from)?;
    let claims = mint::mint(&app.mint_rules, grant, jti, issued_at);
    sign_claims(app, context, claims, grant.actor(), app.now())
}

/// Signs `claims` for `actor`.
fn sign_claims(
    app: &App,
    context: &RequestContext,
    claims: AccessClaims,
    mut actor: Actor,
    now: UtcMicros,
) -> Result<Minted, ApiError> {
    let ring = app.keys.ring();
    let key = ring.signer(now)?;
    let token = sign(key, TOKEN_TYPE, &claims).map_err(Internal::from)?;
    actor.jti = Some(claims.jti.clone());
    let mut event = context
        .facts(Class::Auth, action::AUTHN_TOKEN_CREATED, Outcome::Success, actor)
        .with_detail("jti", claims.jti)
        .with_detail("sid", claims.sid)
        .with_detail("aud", claims.aud.join(" "))
        .with_detail("scope", claims.scope)
        .with_detail("expires_at", UtcMicros::from_seconds(claims.exp).to_string());
    event.token = Some(TokenFacts {
        iss: Some(claims.iss),
        kid: Some(key.kid.clone()),
        alg: Some(key.algorithm.to_string()),
        age_s: Some(0),
    });
    Ok(Minted { token, event })
}

fn jti() -> Result<String, secret::NoRandomness> {
    use base64::Engine as _;
    let bytes = secret::fresh_bytes::<JTI_BYTES>()?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}
