//! Whether a client is who it says: one answer for all who are not.

use http::HeaderMap;
use shared::event::{Actor, Class, Identity, Outcome, action, bounded};

use super::credentials::{Presented, presented};
use super::model::{Client, Kind};
use super::{assertion, secret};
use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::sign_in::LOGIN_CLIENT;
use crate::throttle;
use crate::token::{Form, INTROSPECT_SCOPE, OAuthError};
use crate::user;

/// The longest presented id that goes into an event, in bytes.
const ID_SHOWN_MAX: usize = 128;

/// Why a client is not believed. Only events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RefusedReason {
    Unknown,
    Disabled,
    NotPermitted,
    NotProven,
    SecretWrong,
    SecretExpired,
    AssertionRefused,
}

impl RefusedReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "client_unknown",
            Self::Disabled => "client_disabled",
            Self::NotPermitted => "client_not_permitted",
            Self::NotProven => "client_not_proven",
            Self::SecretWrong => "client_secret_wrong",
            Self::SecretExpired => "client_secret_expired",
            Self::AssertionRefused => "client_assertion_refused",
        }
    }
}

/// Who asks: a confidential client that has proved it, or a public one that has said so; `None` for nobody in particular,
/// which is first-party sign-in.
///
/// An unknown client, a wrong secret and a disabled client get the same answer, and each is an event.
pub(crate) async fn authenticate(
    app: &App,
    context: &RequestContext,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Option<Client>, OAuthError> {
    let presented = presented(headers, form)?;
    let (id, method) = match &presented {
        Presented::Nothing => return Ok(None),
        Presented::Id(id) if id == LOGIN_CLIENT => return Ok(None),
        Presented::Id(id) => (id, "none"),
        Presented::Secret { id, method, .. } => (id, *method),
        Presented::Assertion { id, .. } => (id, "private_key_jwt"),
    };
    match proven(app, id, &presented).await? {
        Ok(client) => Ok(Some(client)),
        Err(reason) => Err(refuse(app, context, (id, method), reason).await),
    }
}

/// A client that may ask about tokens: confidential, of its own, and with the scope for it. Nobody else learns anything.
pub(crate) async fn authenticate_introspector(
    app: &App,
    context: &RequestContext,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Client, OAuthError> {
    let Some(client) = authenticate(app, context, headers, form).await? else {
        return Err(OAuthError::InvalidClient);
    };
    let may = client.kind == Kind::Confidential
        && client.owner.is_none()
        && client.scopes.iter().any(|scope| scope == INTROSPECT_SCOPE);
    if may {
        return Ok(client);
    }
    let who = (client.id.as_str(), "introspection");
    Err(refuse(app, context, who, RefusedReason::NotPermitted).await)
}

async fn proven(
    app: &App,
    id: &str,
    presented: &Presented,
) -> Result<Result<Client, RefusedReason>, ApiError> {
    let now = app.now();
    let mut tx = app.database.read().await?;
    let client = super::find_any(app, &mut tx, id).await?;
    // Looked up whoever asks, so that an unknown client takes as long as a known one.
    let found = match presented {
        Presented::Secret { secret, .. } if secret::is_well_formed(secret) => {
            secret::store::find(&mut tx, secret).await?
        }
        _ => None,
    };
    let has_lost_owner = match client.as_ref().and_then(|client| client.owner.as_ref()) {
        Some(owner) => user::find(&mut tx, owner)
            .await?
            .is_none_or(|account| account.is_disabled),
        None => false,
    };
    drop(tx);
    let Some(client) = client else {
        return Ok(Err(RefusedReason::Unknown));
    };
    let refused = match (presented, client.kind) {
        (Presented::Nothing | Presented::Id(_), Kind::Confidential) => Some(RefusedReason::NotProven),
        (Presented::Nothing | Presented::Id(_), Kind::Public) => None,
        (_, Kind::Public) => Some(RefusedReason::SecretWrong),
        (Presented::Secret { .. }, Kind::Confidential) => match &found {
            Some(found) if found.client_id != client.id => Some(RefusedReason::SecretWrong),
            Some(found) if found.expires_at <= now.as_micros() => Some(RefusedReason::SecretExpired),
            Some(_) => None,
            None => Some(RefusedReason::SecretWrong),
        },
        (Presented::Assertion { assertion, .. }, Kind::Confidential) => {
            let proves = assertion::proves(app, &client, assertion, now).await?;
            (!proves).then_some(RefusedReason::AssertionRefused)
        }
    };
    let refused = refused.or((client.disabled || has_lost_owner).then_some(RefusedReason::Disabled));
    if let Some(reason) = refused {
        return Ok(Err(reason));
    }
    if let Some(found) = found.filter(|found| found.is_use_news(now)) {
        let mut tx = app.database.write().await?;
        secret::store::set_used(&mut tx, &found.id, now).await?;
        app.database.commit(tx).await?;
    }
    Ok(Ok(client))
}

/// Records that a client was not believed, and returns the refusal.
async fn refuse(
    app: &App,
    context: &RequestContext,
    (id, method): (&str, &'static str),
    reason: RefusedReason,
) -> OAuthError {
    let actor = Actor {
        identity: Identity::Claimed,
        client_id: Some(bounded(id, ID_SHOWN_MAX)),
        ..Actor::default()
    };
    let facts = context
        .facts(Class::Auth, action::AUTHN_CLIENT_FAIL, Outcome::Failure, actor)
        .because(reason.as_str())
        .with_detail("method", method);
    let recording = async {
        let mut tx = app.database.write().await?;
        throttle::record(&mut tx, app, facts).await?;
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    recording
        .await
        .err()
        .map_or(OAuthError::InvalidClient, OAuthError::Failed)
}
