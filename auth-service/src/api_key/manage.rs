//! Making, listing and deleting API keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Class, Facts, Outcome, action};
use shared::token::GATELOG_AUDIENCE;

use crate::app::App;
use crate::client::secret::store::NewSecret;
use crate::client::secret::{self, Secret, Wanted};
use crate::client::{self, Client, GrantType};
use crate::error::{ApiError, Internal};
use crate::request::Operator;
use crate::role::Scope;
use crate::user::{self, Account};
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Keys that one user may have.
const KEYS_MAX: usize = 20;

/// What a key is to be.
#[derive(Clone, Debug)]
pub(super) struct NewKey {
    pub(super) wanted: Wanted,
    pub(super) scopes: BTreeSet<Scope>,
    pub(super) audience: Option<String>,
}

/// A key that was made; its secret is shown once.
pub(super) struct CreatedKey {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) expires_at: UtcMicros,
}

/// Who does something with the keys of a user.
pub(super) struct By<'a> {
    pub(super) operator: &'a Operator,
    pub(super) class: Class,
}

impl By<'_> {
    fn facts(&self, action: &str, key: &Client) -> Facts {
        self.operator
            .facts(self.class, action, Outcome::Success)
            .with_detail("client_id", key.id.as_str())
            .with_detail("user_id", key.owner.as_deref())
            .with_detail("name", key.name.as_str())
    }
}

/// The keys of a user with their secrets' dates, the oldest first.
pub(super) async fn list(app: &App, user_id: &str) -> Result<Vec<(Client, Option<Secret>)>, ApiError> {
    let mut tx = app.database.read().await?;
    let mut keys = Vec::new();
    for key in client::owned_by(&mut tx, user_id).await? {
        let secret = secret::store::of(&mut tx, &key.id).await?.pop();
        keys.push((key, secret));
    }
    Ok(keys)
}

/// Makes a key for a user, with at most the scopes in `may`.
pub(super) async fn create(
    app: &App,
    by: &By<'_>,
    user_id: &str,
    may: Option<&[String]>,
    new: &NewKey,
) -> Result<CreatedKey, ApiError> {
    let now = app.now();
    let expires_at = new.wanted.check(now)?;
    let audience = new.audience.as_deref().unwrap_or(GATELOG_AUDIENCE);
    if !app.knows_audience(audience) {
        return Err(ApiError::AudienceUnknown);
    }
    let mut tx = app.database.write().await?;
    let account = owner(&mut tx, user_id).await?;
    let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    let has = |scope: &String| account.scopes.contains(scope) && may.is_none_or(|may| may.contains(scope));
    if !scopes.iter().all(has) {
        return Err(ApiError::BodyInvalid(
            "a key has no scope that you have not yourself".into(),
        ));
    }
    make_room(&mut tx, user_id, now).await?;
    let key = Client {
        name: new.wanted.name.clone(),
        owner: Some(account.id),
        grant_types: vec![GrantType::ClientCredentials],
        scopes,
        audiences: vec![audience.to_owned()],
        ..Client::fresh(format!("key_{}", uuid::Uuid::new_v4().simple()), now)
    };
    client::insert(&mut tx, &key).await?;
    let created = CreatedKey {
        secret: secret::fresh(secret::KEY_PREFIX).map_err(Internal::from)?,
        id: key.id.clone(),
        expires_at,
    };
    let row = NewSecret {
        id: &secret::fresh_id(),
        client_id: &key.id,
        name: &key.name,
        secret: &created.secret,
        expires_at,
    };
    secret::store::insert(&mut tx, &row, now).await?;
    let facts = by
        .facts(action::API_KEY_CREATED, &key)
        .with_detail("before", Value::Null)
        .with_detail("after", told(&key))
        .with_detail("expires_at", expires_at.to_string());
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok(created)
}

/// The user, locked until the end of the transaction, so that of two keys made at once the second sees the first.
async fn owner(tx: &mut Tx<'_>, user_id: &str) -> Result<Account, ApiError> {
    user::lock(tx, user_id).await?;
    let account = user::find(tx, user_id).await?;
    account
        .filter(|account| !account.is_disabled)
        .ok_or(ApiError::NotFound)
}

/// Deletes keys that are over, and refuses if there are too many all the same.
async fn make_room(tx: &mut Tx<'_>, user_id: &str, now: UtcMicros) -> Result<(), ApiError> {
    let mut live = 0;
    for key in client::owned_by(tx, user_id).await? {
        let secrets = secret::store::of(tx, &key.id).await?;
        if secrets.iter().any(|secret| secret.is_live(now)) {
            live += 1;
        } else {
            client::delete(tx, &key.id, now).await?;
            secret::store::delete_all(tx, &key.id).await?;
        }
    }
    if live >= KEYS_MAX {
        return Err(ApiError::TooManyKeys);
    }
    Ok(())
}

/// Deletes a key, of `user_id` if one is given; its tokens are void.
pub(super) async fn delete(
    app: &App,
    by: &By<'_>,
    user_id: Option<&str>,
    key_id: &str,
) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let key = client::find(&mut tx, key_id).await?;
    let is_theirs =
        |key: &Client| key.owner.is_some() && (user_id.is_none() || key.owner.as_deref() == user_id);
    let key = key.filter(is_theirs).ok_or(ApiError::NotFound)?;
    client::delete(&mut tx, key_id, now).await?;
    secret::store::delete_all(&mut tx, key_id).await?;
    let facts = by
        .facts(action::API_KEY_DELETED, &key)
        .with_detail("before", told(&key))
        .with_detail("after", Value::Null);
    outbox::append(&mut tx, now, facts).await?;
    enforcement::append(&mut tx, &Target::ClientId(key.id), now).await?;
    Ok(app.database.commit(tx).await?)
}

/// What an event tells of what a key may do.
fn told(key: &Client) -> Value {
    json!({ "scopes": key.scopes, "audiences": key.audiences })
}
