//! What administrators do with users, over HTTP and on the command line alike.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Class, Outcome, action};

use super::store::{self, Filter, NewUser, ShownUser};
use super::{ADMIN_ROLE, Username, disabling, fresh_id};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::one_time_token::{self, Purpose};
use crate::request::{IfMatch, Operator, PageQuery};
use crate::second_factor::FactorRefusal;
use crate::session::{self, EndReason, Ending};
use crate::{enforcement, outbox, second_factor, secret};
use shared::database::Tx;

/// A one-time token with which a user sets its password, to be given to it and to nobody else.
pub(super) struct PasswordToken {
    pub(super) token: String,
    pub(super) expires_at: UtcMicros,
}

/// A user that was made.
pub(super) struct Created {
    pub(super) id: String,
    pub(super) password: PasswordToken,
}

/// What is to change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) roles: Option<BTreeSet<String>>,
    pub(super) disabled: Option<bool>,
}

/// Makes a user without a password, and the one-time token that it sets one with.
pub(super) async fn create(
    app: &App,
    operator: &Operator,
    username: &Username,
    roles: &BTreeSet<String>,
) -> Result<Created, ApiError> {
    let now = app.now();
    let id = fresh_id();
    let new = NewUser {
        id: &id,
        username,
        password_hash: None,
        roles,
    };
    let mut tx = app.database.write().await?;
    store::insert(&mut tx, &new, now).await?;
    let password = issue_token(&mut tx, &id, now).await?;
    let facts = operator
        .facts(Class::Admin, action::USER_CREATED, Outcome::Success)
        .with_detail("user_id", id.as_str())
        .with_detail("username", username.as_str())
        .with_detail("before", Value::Null)
        .with_detail("after", json!({ "roles": roles, "disabled": false }));
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok(Created { id, password })
}

/// A page of users and the cursor of the next.
pub(super) async fn list(
    app: &App,
    page: &PageQuery,
    filter: Filter<'_>,
) -> Result<(Vec<ShownUser>, Option<String>), ApiError> {
    let (after, count_max) = (page.after()?, page.fetch_max()?);
    let mut tx = app.database.read().await?;
    let mut users = store::page(&mut tx, &after, filter, count_max).await?;
    let next = page.cut(&mut users, |user| &user.username_key)?;
    Ok((users, next))
}

/// The user of that id.
pub(super) async fn find(app: &App, id: &str) -> Result<ShownUser, ApiError> {
    let mut tx = app.database.read().await?;
    store::find_shown(&mut tx, id).await?.ok_or(ApiError::NotFound)
}

/// The user of that id, or else of that name.
pub(super) async fn find_by_id_or_name(app: &App, text: &str) -> Result<ShownUser, ApiError> {
    let mut tx = app.database.read().await?;
    if let Some(user) = store::find_shown(&mut tx, text).await? {
        return Ok(user);
    }
    let named = store::find_by_name(&mut tx, text)
        .await?
        .ok_or(ApiError::NotFound)?;
    store::find_shown(&mut tx, &named.id)
        .await?
        .ok_or(ApiError::NotFound)
}

/// Changes a user. What it may do less from now on, its tokens may not either.
pub(super) async fn update(
    app: &App,
    operator: &Operator,
    (id, seen): (&str, IfMatch),
    change: &Change,
) -> Result<ShownUser, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let before = seen_user(&mut tx, id, seen).await?;
    let loses_admin = change
        .roles
        .as_ref()
        .is_some_and(|roles| !roles.contains(ADMIN_ROLE));
    if loses_admin || change.disabled == Some(true) {
        keep_an_administrator(&mut tx, &before).await?;
    }
    let new_roles = change
        .roles
        .as_ref()
        .filter(|roles| !roles.iter().eq(&before.roles));
    if let Some(roles) = new_roles {
        store::set_roles(&mut tx, id, roles).await?;
    }
    let fresh = || format!("dis_{}", uuid::Uuid::now_v7().simple());
    let standing = match change.disabled {
        Some(disabled) => disabling::step(&before, disabled, operator.enforcer(), fresh())?,
        None => None,
    };
    if let Some(standing) = &standing {
        store::set_standing(&mut tx, id, standing).await?;
    }
    if new_roles.is_none() && standing.is_none() {
        return Ok(before);
    }
    store::raise_version(&mut tx, id).await?;
    let after = store::find_shown(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    let actions = [
        new_roles.map(|_| action::PRIVILEGE_PERMISSIONS_CHANGED),
        standing.as_ref().map(|standing| {
            if standing.disabled {
                action::USER_DISABLED
            } else {
                action::USER_ENABLED
            }
        }),
    ];
    for action in actions.into_iter().flatten() {
        record(&mut tx, operator, action, (&before, Some(&after)), now).await?;
    }
    let decision = standing
        .as_ref()
        .and_then(|standing| standing.decision.as_deref());
    if decision.is_some() {
        end_sessions(&mut tx, operator, (id, decision), EndReason::Disabled, now).await?;
    }
    // Sessions go on with the new roles; tokens that have the old ones are void.
    enforcement::append_named(&mut tx, &Target::Sub(id.to_owned()), decision, now).await?;
    app.database.commit(tx).await?;
    Ok(after)
}

/// Deletes a user. Its name is given to nobody else, and its row stays for what it did.
pub(super) async fn delete(app: &App, operator: &Operator, id: &str, seen: IfMatch) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let before = seen_user(&mut tx, id, seen).await?;
    keep_an_administrator(&mut tx, &before).await?;
    store::delete(&mut tx, id, now).await?;
    record(&mut tx, operator, action::USER_DELETED, (&before, None), now).await?;
    end_sessions(&mut tx, operator, (id, None), EndReason::Deleted, now).await?;
    second_factor::forget(&mut tx, operator, Class::Admin, (id, None), now).await?;
    enforcement::append(&mut tx, &Target::Sub(id.to_owned()), now).await?;
    Ok(app.database.commit(tx).await?)
}

/// Makes a one-time token with which the user sets a password. The present one stays until then: who asks for a reset in
/// another's name locks nobody out.
pub(super) async fn reset_password(
    app: &App,
    operator: &Operator,
    id: &str,
) -> Result<PasswordToken, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let user = store::find_shown(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    let token = issue_token(&mut tx, id, now).await?;
    let facts = operator
        .facts(Class::Admin, action::PASSWORD_RESET_ISSUED, Outcome::Success)
        .with_detail("user_id", id)
        .with_detail("username", user.username)
        .with_detail("expires_at", token.expires_at.to_string());
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok(token)
}

/// Removes a user's second factor, for whoever has lost it, and ends its sessions.
pub(super) async fn reset_second_factor(
    app: &App,
    operator: &Operator,
    id: &str,
    seen: IfMatch,
) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    seen_user(&mut tx, id, seen).await?;
    if !second_factor::forget(&mut tx, operator, Class::Admin, (id, None), app.now()).await? {
        return Err(FactorRefusal::NotEnrolled.into());
    }
    Ok(app.database.commit(tx).await?)
}

/// A fresh one-time password token, which voids the one before.
pub(super) async fn issue_token(
    tx: &mut Tx<'_>,
    id: &str,
    now: UtcMicros,
) -> Result<PasswordToken, ApiError> {
    let token = secret::fresh_token(Purpose::Password.prefix()).map_err(Internal::from)?;
    let expires_at = now.plus(Purpose::Password.lifetime());
    one_time_token::replace(tx, Purpose::Password, Some(id), &token, expires_at).await?;
    Ok(PasswordToken { token, expires_at })
}

async fn seen_user(tx: &mut Tx<'_>, id: &str, seen: IfMatch) -> Result<ShownUser, ApiError> {
    let user = store::find_shown(tx, id).await?.ok_or(ApiError::NotFound)?;
    seen.check(user.version)?;
    Ok(user)
}

/// Refuses to take away the last administrator who can sign in.
async fn keep_an_administrator(tx: &mut Tx<'_>, user: &ShownUser) -> Result<(), ApiError> {
    let is_one = user.roles.iter().any(|role| role == ADMIN_ROLE) && !user.disabled;
    if is_one && !store::has_other(tx, ADMIN_ROLE, &user.id).await? {
        return Err(ApiError::LastAdministrator);
    }
    Ok(())
}

async fn end_sessions(
    tx: &mut Tx<'_>,
    operator: &Operator,
    (id, decision): (&str, Option<&str>),
    reason: EndReason,
    now: UtcMicros,
) -> Result<(), ApiError> {
    let ending = Ending {
        context: operator.context(),
        actor: operator.actor(),
        reason,
        decision,
        now,
    };
    session::end_all_of(tx, id, None, &ending).await?;
    Ok(())
}

async fn record(
    tx: &mut Tx<'_>,
    operator: &Operator,
    action: &str,
    (before, after): (&ShownUser, Option<&ShownUser>),
    now: UtcMicros,
) -> Result<(), ApiError> {
    let facts = operator
        .facts(Class::Admin, action, Outcome::Success)
        .with_detail("user_id", before.id.as_str())
        .with_detail("username", before.username.as_str())
        .with_detail("before", told(before))
        .with_detail("after", after.map_or(Value::Null, told));
    outbox::append(tx, now, facts).await
}

/// What an event tells of a user, before a change and after it.
fn told(user: &ShownUser) -> Value {
    let (roles, disabled) = (&user.roles, user.disabled);
    match user.disabling.as_deref().filter(|_| disabled) {
        None => json!({ "roles": roles, "disabled": disabled }),
        Some(decision) => json!({
            "roles": roles,
            "disabled": disabled,
            "decision": decision,
            "disabled_by": user.disabled_by,
        }),
    }
}
