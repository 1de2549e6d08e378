//! The way back in when no administrator can sign in any more: for whoever can write to the database anyway.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::event::{Class, Outcome, action};

use super::administer::{PasswordToken, issue_token};
use super::store::{self, NewUser};
use super::{ADMIN_ROLE, Username, fresh_id};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Operator;
use crate::{outbox, second_factor};

/// Makes the user of that name an administrator that is not disabled, or makes one, and a one-time password token for it.
pub(super) async fn recover_admin(
    app: &App,
    operator: &Operator,
    username: &Username,
) -> Result<(String, PasswordToken), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let known = store::find_by_name(&mut tx, username.as_str()).await?;
    let before = known
        .as_ref()
        .map(|user| json!({ "roles": user.roles, "disabled": user.is_disabled }));
    let mut roles: BTreeSet<String> = known.iter().flat_map(|user| user.roles.clone()).collect();
    roles.insert(ADMIN_ROLE.to_owned());
    let id = if let Some(user) = known {
        store::set_roles(&mut tx, &user.id, &roles).await?;
        store::revive(&mut tx, &user.id).await?;
        user.id
    } else {
        let id = fresh_id();
        let new = NewUser {
            id: &id,
            username,
            password_hash: None,
            roles: &roles,
        };
        store::insert(&mut tx, &new, now).await?;
        id
    };
    let token = issue_token(&mut tx, &id, now).await?;
    let facts = operator
        .facts(Class::Admin, action::ADMIN_RECOVERED, Outcome::Success)
        .with_detail("user_id", id.as_str())
        .with_detail("username", username.as_str())
        .with_detail("before", before.unwrap_or(Value::Null))
        .with_detail("after", json!({ "roles": roles, "disabled": false }));
    outbox::append(&mut tx, now, facts).await?;
    // Who has lost a factor could not sign in with the password alone.
    second_factor::forget(&mut tx, operator, Class::Admin, (&id, None), now).await?;
    app.database.commit(tx).await?;
    Ok((id, token))
}
