//! Sign-in: one verification of the password on every path, and one answer for all who fail.

use shared::event::{Actor, Class, Identity, Outcome, action, bounded};
use shared::token::GATELOG_AUDIENCE;

use super::handler::LoginRequest;
use super::refresh_token::RefreshToken;
use super::store::{self, NewSession};
use super::{AMR_PASSWORD, LOGIN_CLIENT};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::outbox;
use crate::password::PASSWORD_BYTES_MAX;
use crate::request::RequestContext;
use crate::secret;
use crate::token::{Grant, TokenAnswer, mint_signed};
use crate::user::{self, Account};

/// The longest typed name that goes into an event, in bytes.
const TYPED_NAME_MAX: usize = 128;

/// Checks name and password and opens a session.
///
/// A name that nobody has and a disabled user cost the same verification as a wrong password, and get the same answer.
pub(super) async fn log_in(
    app: &App,
    context: &RequestContext,
    request: LoginRequest,
) -> Result<TokenAnswer, ApiError> {
    let audience = known_audience(app, request.audience)?;
    if request.password.len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::BodyInvalid(
            "the password is longer than a password may be".into(),
        ));
    }
    let mut tx = app.database.read().await?;
    let account = user::find_by_name(&mut tx, &request.username).await?;
    drop(tx);
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let is_right = app.hasher.verify(request.password, stored).await?;
    match account {
        Some(account) if is_right && !account.is_disabled => {
            open_session(app, context, &account, &audience).await
        }
        _ => {
            record_failure(app, context, &request.username).await?;
            Err(ApiError::BadCredentials)
        }
    }
}

/// Scopes of Gatelog itself come with its own audience only, so that an API never holds a token that is good for more.
fn known_audience(app: &App, asked: Option<String>) -> Result<String, ApiError> {
    match asked {
        None => Ok(GATELOG_AUDIENCE.to_owned()),
        Some(audience) if audience == GATELOG_AUDIENCE || app.audiences.contains(&audience) => Ok(audience),
        Some(_) => Err(ApiError::AudienceUnknown),
    }
}

async fn record_failure(app: &App, context: &RequestContext, typed: &str) -> Result<(), ApiError> {
    let actor = Actor {
        identity: Identity::Claimed,
        username: Some(bounded(typed, TYPED_NAME_MAX)),
        ..Actor::default()
    };
    let facts = context
        .facts(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure, actor)
        .because("bad_credentials");
    let mut tx = app.database.write().await?;
    outbox::append(&mut tx, app.now(), facts).await?;
    Ok(app.database.commit(tx).await?)
}

async fn open_session(
    app: &App,
    context: &RequestContext,
    account: &Account,
    audience: &str,
) -> Result<TokenAnswer, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    // Read again: roles may have changed, or the user been disabled, while the password was verified.
    let account = match user::find(&mut tx, &account.id).await? {
        Some(current) if !current.is_disabled && current.password_hash == account.password_hash => current,
        _ => {
            drop(tx);
            record_failure(app, context, &account.username).await?;
            return Err(ApiError::BadCredentials);
        }
    };
    let (first, session) = RefreshToken::first(secret::fresh_bytes().map_err(Internal::from)?);
    let seed: [u8; store::SEED_BYTES] = secret::fresh_bytes().map_err(Internal::from)?;
    let grant = Grant {
        sub: &account.id,
        username: &account.username,
        roles: &account.roles,
        scopes: &account.scopes,
        client_id: LOGIN_CLIENT,
        audience,
        sid: &session,
        authenticated_at: now,
        amr: AMR_PASSWORD,
    };
    let minted = mint_signed(app, context, &grant, now)?;
    let new = NewSession {
        id: &session,
        grant: &grant,
        seed: &seed,
        counter: first.counter,
        client: &context.client,
    };
    store::insert(&mut tx, &new, now).await?;
    let signed_in = context
        .facts(
            Class::Auth,
            action::AUTHN_LOGIN_SUCCESS,
            Outcome::Success,
            grant.actor(),
        )
        .with_detail("aud", audience)
        .with_detail("amr", AMR_PASSWORD);
    outbox::append(&mut tx, now, signed_in).await?;
    outbox::append(&mut tx, now, minted.event).await?;
    app.database.commit(tx).await?;
    Ok(TokenAnswer::bearer(
        minted.token,
        app.mint_rules.lifetime_seconds,
        first.encode(&app.refresh_key, &seed),
        grant.scope(),
    ))
}
