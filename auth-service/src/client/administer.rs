//! What administrators do with clients, over HTTP and on the command line alike.

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};

use super::model::Client;
use super::registration::{Registration, told};
use super::secret::store::{NewSecret, Secret};
use super::{fresh_id, secret, store};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::request::{IfMatch, Operator, PageQuery};
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Secrets of one client that are good at the same time: the one in use, and the one that follows it.
const LIVE_SECRETS_MAX: usize = 2;

/// A secret that was made, shown once.
pub(crate) struct CreatedSecret {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) expires_at: UtcMicros,
}

/// Registers a client.
pub(super) async fn create(
    app: &App,
    operator: &Operator,
    registration: Registration,
) -> Result<Client, ApiError> {
    registration.check(|audience| app.knows_audience(audience))?;
    let now = app.now();
    let client = registration.apply(Client::fresh(fresh_id(), now));
    let mut tx = app.database.write().await?;
    store::insert(&mut tx, &client).await?;
    let change = (None, Some(&client));
    record(&mut tx, operator, action::CLIENT_CREATED, change, now).await?;
    app.database.commit(tx).await?;
    Ok(client)
}

/// A page of clients and the cursor of the next.
pub(super) async fn list(app: &App, page: &PageQuery) -> Result<(Vec<Client>, Option<String>), ApiError> {
    let (after, count_max) = (page.after()?, page.fetch_max()?);
    let mut tx = app.database.read().await?;
    let mut clients = store::page(&mut tx, &after, count_max).await?;
    let next = page.cut(&mut clients, |client| &client.id)?;
    Ok((clients, next))
}

/// The client of that id, and its secrets.
pub(super) async fn read(app: &App, id: &str) -> Result<(Client, Vec<Secret>), ApiError> {
    let mut tx = app.database.read().await?;
    let client = own(&mut tx, id).await?;
    let secrets = secret::store::of(&mut tx, id).await?;
    Ok((client, secrets))
}

/// Changes a client. Its tokens are void at once if they may have more than it may from now on.
pub(super) async fn update(
    app: &App,
    operator: &Operator,
    (id, seen): (&str, IfMatch),
    change: impl FnOnce(Registration) -> (Registration, Option<bool>),
) -> Result<Client, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let before = own(&mut tx, id).await?;
    seen.check(before.version)?;
    let (registration, disabled) = change(Registration::of(&before)?);
    registration.check(|audience| app.knows_audience(audience))?;
    let mut after = registration.apply(before.clone());
    after.disabled = disabled.unwrap_or(before.disabled);
    if after == before {
        return Ok(before);
    }
    if !store::update(&mut tx, &after, now).await? {
        return Err(ApiError::PreconditionFailed);
    }
    let event = (Some(&before), Some(&after));
    record(&mut tx, operator, action::CLIENT_UPDATED, event, now).await?;
    if has_less(&before, &after) {
        enforcement::append(&mut tx, &Target::ClientId(id.to_owned()), now).await?;
    }
    app.database.commit(tx).await?;
    after.version += 1;
    after.updated_at = now;
    Ok(after)
}

/// Whether something that `before` had is missing from `after`.
fn has_less(before: &Client, after: &Client) -> bool {
    let is_within = |one: &[String], other: &[String]| one.iter().all(|item| other.contains(item));
    (after.disabled && !before.disabled)
        || !is_within(&before.scopes, &after.scopes)
        || !is_within(&before.audiences, &after.audiences)
        || !before.grant_types.iter().all(|grant| after.may(*grant))
}

/// Deletes a client with its secrets; its tokens are void.
pub(super) async fn delete(app: &App, operator: &Operator, id: &str, seen: IfMatch) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let before = own(&mut tx, id).await?;
    seen.check(before.version)?;
    store::delete(&mut tx, id, now).await?;
    secret::store::delete_all(&mut tx, id).await?;
    let change = (Some(&before), None);
    record(&mut tx, operator, action::CLIENT_DELETED, change, now).await?;
    enforcement::append(&mut tx, &Target::ClientId(id.to_owned()), now).await?;
    Ok(app.database.commit(tx).await?)
}

/// Makes a secret. The one in use stays good, so that a client can change over.
pub(super) async fn add_secret(
    app: &App,
    operator: &Operator,
    id: &str,
    new: &secret::Wanted,
) -> Result<CreatedSecret, ApiError> {
    let now = app.now();
    let expires_at = new.check(now)?;
    let mut tx = app.database.write().await?;
    // Locks the client's row, so that of two who add a secret at once the second sees that of the first.
    store::touch(&mut tx, id, now).await?;
    let client = own(&mut tx, id).await?;
    if client.kind == super::Kind::Public {
        return Err(ApiError::BodyInvalid("a public client has no secrets".into()));
    }
    let secrets = secret::store::of(&mut tx, id).await?;
    for over in secrets.iter().filter(|secret| !secret.is_live(now)) {
        secret::store::delete(&mut tx, id, &over.id).await?;
    }
    if secrets.iter().filter(|secret| secret.is_live(now)).count() >= LIVE_SECRETS_MAX {
        return Err(ApiError::TooManySecrets);
    }
    let created = CreatedSecret {
        id: secret::fresh_id(),
        secret: secret::fresh(secret::CLIENT_PREFIX).map_err(Internal::from)?,
        expires_at,
    };
    let row = NewSecret {
        id: &created.id,
        client_id: id,
        name: &new.name,
        secret: &created.secret,
        expires_at,
    };
    secret::store::insert(&mut tx, &row, now).await?;
    let facts = operator
        .facts(Class::Admin, action::CLIENT_SECRET_CREATED, Outcome::Success)
        .with_detail("client_id", id)
        .with_detail("secret_id", created.id.as_str())
        .with_detail("before", Value::Null)
        .with_detail("after", told_of_secret(&new.name, expires_at));
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok(created)
}

/// Deletes a secret, which is not good from now on. Tokens that were got with it live on for their minutes.
pub(super) async fn delete_secret(
    app: &App,
    operator: &Operator,
    id: &str,
    secret_id: &str,
) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    own(&mut tx, id).await?;
    let secrets = secret::store::of(&mut tx, id).await?;
    let before = secrets.iter().find(|secret| secret.id == secret_id);
    let before = before.ok_or(ApiError::NotFound)?;
    if !secret::store::delete(&mut tx, id, secret_id).await? {
        return Err(ApiError::NotFound);
    }
    let facts = operator
        .facts(Class::Admin, action::CLIENT_SECRET_DELETED, Outcome::Success)
        .with_detail("client_id", id)
        .with_detail("secret_id", secret_id)
        .with_detail(
            "before",
            told_of_secret(&before.name, UtcMicros::from_micros(before.expires_at)),
        )
        .with_detail("after", Value::Null);
    outbox::append(&mut tx, now, facts).await?;
    Ok(app.database.commit(tx).await?)
}

/// What an event tells of a secret.
pub(super) fn told_of_secret(name: &str, expires_at: UtcMicros) -> Value {
    json!({ "name": name, "expires_at": expires_at.to_string() })
}

/// A client that is nobody's API key.
async fn own(tx: &mut Tx<'_>, id: &str) -> Result<Client, ApiError> {
    let client = store::find(tx, id).await?;
    client
        .filter(|client| client.owner.is_none())
        .ok_or(ApiError::NotFound)
}

/// Tells of a change to a client.
pub(super) async fn record(
    tx: &mut Tx<'_>,
    operator: &Operator,
    action: &str,
    (before, after): (Option<&Client>, Option<&Client>),
    now: UtcMicros,
) -> Result<(), ApiError> {
    let id = before.or(after).map(|client| client.id.clone());
    let facts = operator
        .facts(Class::Admin, action, Outcome::Success)
        .with_detail("client_id", id)
        .with_detail("before", before.map_or(Value::Null, told))
        .with_detail("after", after.map_or(Value::Null, told));
    outbox::append(tx, now, facts).await
}
