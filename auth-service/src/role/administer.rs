//! What administrators do with roles.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};

use super::name::{RoleName, Scope};
use super::store::{self, Role};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{IfMatch, Operator};
use crate::user::{ADMIN_ROLE, ADMIN_SCOPE};
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Roles at most: every one is read when users sign in, and people must be able to tell them apart.
const ROLES_MAX: usize = 200;

/// Every role.
pub(super) async fn list(app: &App) -> Result<Vec<Role>, ApiError> {
    let mut tx = app.database.read().await?;
    Ok(store::all(&mut tx).await?)
}

/// The role of that name.
pub(super) async fn find(app: &App, name: &str) -> Result<Role, ApiError> {
    let mut tx = app.database.read().await?;
    store::find(&mut tx, name).await?.ok_or(ApiError::NotFound)
}

/// Makes a role.
pub(super) async fn create(
    app: &App,
    operator: &Operator,
    name: &RoleName,
    scopes: &BTreeSet<Scope>,
) -> Result<Role, ApiError> {
    let mut tx = app.database.write().await?;
    if store::all(&mut tx).await?.len() >= ROLES_MAX {
        return Err(ApiError::BodyInvalid(
            "there are as many roles as there may be".into(),
        ));
    }
    if !store::insert(&mut tx, name.as_str(), &joined(scopes)).await? {
        return Err(ApiError::RoleTaken);
    }
    let role = store::find(&mut tx, name.as_str())
        .await?
        .ok_or(ApiError::NotFound)?;
    record(
        &mut tx,
        operator,
        action::ROLE_CREATED,
        (None, Some(&role)),
        app.now(),
    )
    .await?;
    app.database.commit(tx).await?;
    Ok(role)
}

/// Gives a role other scopes. Tokens of those who have it are void at once; their sessions go on.
pub(super) async fn update(
    app: &App,
    operator: &Operator,
    (name, seen): (&str, IfMatch),
    scopes: &BTreeSet<Scope>,
) -> Result<Role, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let before = seen_role(&mut tx, name, seen).await?;
    let scopes = joined(scopes);
    if name == ADMIN_ROLE && !scopes.split(' ').any(|scope| scope == ADMIN_SCOPE) {
        return Err(ApiError::RoleBuiltIn("it keeps the scope `admin`"));
    }
    if scopes == before.scopes {
        return Ok(before);
    }
    store::update(&mut tx, name, &scopes).await?;
    let after = store::find(&mut tx, name).await?.ok_or(ApiError::NotFound)?;
    let change = (Some(&before), Some(&after));
    record(
        &mut tx,
        operator,
        action::PRIVILEGE_PERMISSIONS_CHANGED,
        change,
        now,
    )
    .await?;
    for user_id in store::holders(&mut tx, name).await? {
        enforcement::append(&mut tx, &Target::Sub(user_id), now).await?;
    }
    app.database.commit(tx).await?;
    Ok(after)
}

/// Deletes a role that nobody has.
pub(super) async fn delete(
    app: &App,
    operator: &Operator,
    name: &str,
    seen: IfMatch,
) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    let before = seen_role(&mut tx, name, seen).await?;
    if name == ADMIN_ROLE {
        return Err(ApiError::RoleBuiltIn("nobody could administer without it"));
    }
    if !store::holders(&mut tx, name).await?.is_empty() {
        return Err(ApiError::RoleInUse);
    }
    store::delete(&mut tx, name).await?;
    record(
        &mut tx,
        operator,
        action::ROLE_DELETED,
        (Some(&before), None),
        app.now(),
    )
    .await?;
    Ok(app.database.commit(tx).await?)
}

async fn seen_role(tx: &mut Tx<'_>, name: &str, seen: IfMatch) -> Result<Role, ApiError> {
    let role = store::find(tx, name).await?.ok_or(ApiError::NotFound)?;
    seen.check(role.version)?;
    Ok(role)
}

fn joined(scopes: &BTreeSet<Scope>) -> String {
    scopes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

async fn record(
    tx: &mut Tx<'_>,
    operator: &Operator,
    action: &str,
    (before, after): (Option<&Role>, Option<&Role>),
    now: UtcMicros,
) -> Result<(), ApiError> {
    let told = |role: Option<&Role>| role.map_or(Value::Null, |role| json!({ "scopes": role.scopes }));
    let name = before.or(after).map(|role| role.name.clone());
    let facts = operator
        .facts(Class::Admin, action, Outcome::Success)
        .with_detail("role", name)
        .with_detail("before", told(before))
        .with_detail("after", told(after));
    outbox::append(tx, now, facts).await
}
