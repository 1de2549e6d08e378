//! Users and roles at rest.

use std::collections::BTreeSet;

use shared::clock::UtcMicros;

use super::disabling::Standing;
use super::name::{Username, key_of};
use crate::secret::sha256;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};

const LOCK: &str = "UPDATE users SET id = id WHERE id = $1";
/// One row for each role of a user, and one for a user without any.
macro_rules! select_account {
    ($condition:literal) => {
        concat!(
            "SELECT users.id, users.username, users.password_hash, users.disabled, roles.name AS role, roles.scopes,
                EXISTS (SELECT 1 FROM totp_factors WHERE user_id = users.id) AS has_second_factor
            FROM users LEFT JOIN user_roles ON user_roles.user_id = users.id
            LEFT JOIN roles ON roles.name = user_roles.role
            WHERE ",
            $condition,
            " ORDER BY roles.name"
        )
    };
}
const SELECT_BY_ID: &str = select_account!("users.id = $1");
const SELECT_BY_NAME: &str = select_account!("users.username_key = $1");
const INSERT: &str = "INSERT INTO users (id, username, username_key, password_hash, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const INSERT_ROLE: &str = "INSERT INTO user_roles (user_id, role)
    SELECT $1, name FROM roles WHERE name = $2";
const SELECT_PAGE: &str =
    "SELECT id, username, username_key, disabled, disabled_by, disabling, version, created_at,
        password_hash IS NOT NULL AS has_password,
        EXISTS (SELECT 1 FROM totp_factors WHERE user_id = users.id) AS has_second_factor
    FROM users WHERE deleted_at IS NULL AND username_key > $1 AND substr(username_key, 1, length($2)) = $2
        AND ($3 = '' OR EXISTS
            (SELECT 1 FROM user_roles WHERE user_roles.user_id = users.id AND user_roles.role = $3))
    ORDER BY username_key LIMIT $4";
const SELECT_SHOWN: &str =
    "SELECT id, username, username_key, disabled, disabled_by, disabling, version, created_at,
        password_hash IS NOT NULL AS has_password,
        EXISTS (SELECT 1 FROM totp_factors WHERE user_id = users.id) AS has_second_factor
    FROM users WHERE deleted_at IS NULL AND id = $1";
const SELECT_ROLE_NAMES: &str = "SELECT role FROM user_roles WHERE user_id = $1 ORDER BY role";
const RAISE_VERSION: &str = "UPDATE users SET version = version + 1 WHERE id = $1";
const DELETE_ROLES: &str = "DELETE FROM user_roles WHERE user_id = $1";
const SET_DISABLED: &str = "UPDATE users SET disabled = $1, disabled_by = $2, disabling = $3 WHERE id = $4";
const DELETE: &str = "UPDATE users SET deleted_at = $1, disabled = $2, password_hash = NULL WHERE id = $3";
const REVIVE: &str =
    "UPDATE users SET deleted_at = NULL, disabled = $1, disabled_by = NULL, disabling = NULL,
    version = version + 1 WHERE id = $2";
const LOCK_ROLE: &str = "UPDATE roles SET version = version WHERE name = $1";
const HAS_OTHER: &str = "SELECT EXISTS (SELECT 1 FROM user_roles JOIN users ON users.id = user_roles.user_id
    WHERE user_roles.role = $1 AND users.id <> $2 AND users.disabled = $3)";
const RENEW_PASSWORD: &str = "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = $1 WHERE id = $2";
const HAS_ROLE: &str = "SELECT EXISTS (SELECT 1 FROM user_roles WHERE role = $1)";

/// A user with everything that decides what it may do.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) username: String,
    /// Absent until the user has set a password.
    pub(crate) password_hash: Option<String>,
    pub(crate) is_disabled: bool,
    pub(crate) roles: Vec<String>,
    /// The scopes of all roles, each once.
    pub(crate) scopes: Vec<String>,
    /// Whether a password alone is too little.
    pub(crate) has_second_factor: bool,
}

impl Account {
    /// Tells one password from another without keeping its hash a second time.
    pub(crate) fn password_digest(&self) -> Vec<u8> {
        sha256(self.password_hash.as_deref().unwrap_or_default())
    }
}

/// A user that is made.
pub(crate) struct NewUser<'a> {
    pub(crate) id: &'a str,
    pub(crate) username: &'a Username,
    pub(crate) password_hash: Option<&'a str>,
    pub(crate) roles: &'a BTreeSet<String>,
}

/// Why a user could not be made.
#[derive(Debug)]
pub(crate) enum InsertError {
    UsernameTaken,
    RoleUnknown,
    Database(DatabaseError),
}

impl From<DatabaseError> for InsertError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

/// A user as administrators see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct ShownUser {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) username_key: String,
    pub(super) disabled: bool,
    pub(super) disabled_by: Option<String>,
    pub(super) disabling: Option<String>,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) has_password: bool,
    pub(super) has_second_factor: bool,
    #[sqlx(skip)]
    pub(super) roles: Vec<String>,
}

/// Which users are listed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filter<'a> {
    /// How their names begin.
    pub(super) prefix: &'a str,
    /// The role that they have; any if empty.
    pub(super) role: &'a str,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    username: String,
    password_hash: Option<String>,
    disabled: bool,
    has_second_factor: bool,
    role: Option<String>,
    scopes: Option<String>,
}

/// Locks a user's row until the end of the transaction, which on SQLite is the only one anyway.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: &str) -> Result<(), DatabaseError> {
    if matches!(tx, Tx::Postgres(_)) {
        execute!(tx, sqlx::query(LOCK).bind(id))?;
    }
    Ok(())
}

/// The user of that id.
pub(crate) async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Account>, DatabaseError> {
    let rows = fetch!(fetch_all, tx, sqlx::query_as::<_, Row>(SELECT_BY_ID).bind(id))?;
    Ok(account_of(rows))
}

/// The user of that name as it was typed, whatever that is.
pub(crate) async fn find_by_name(tx: &mut Tx<'_>, typed: &str) -> Result<Option<Account>, DatabaseError> {
    let Some(key) = possible_key(typed) else {
        return Ok(None);
    };
    let rows = fetch!(fetch_all, tx, sqlx::query_as::<_, Row>(SELECT_BY_NAME).bind(&key))?;
    Ok(account_of(rows))
}

/// The same without a transaction, which costs more than the question.
pub(crate) async fn look_up(database: &Database, typed: &str) -> Result<Option<Account>, DatabaseError> {
    let Some(key) = possible_key(typed) else {
        return Ok(None);
    };
    let rows = read!(
        fetch_all,
        database,
        sqlx::query_as::<_, Row>(SELECT_BY_NAME).bind(&key)
    )?;
    Ok(account_of(rows))
}

/// PostgreSQL's texts hold no NUL, and no name does.
fn possible_key(typed: &str) -> Option<String> {
    (!typed.contains('\0')).then(|| key_of(typed))
}

fn account_of(rows: Vec<Row>) -> Option<Account> {
    let (mut roles, mut scopes) = (Vec::new(), Vec::<String>::new());
    let mut user = None;
    for mut row in rows {
        for scope in row.scopes.as_deref().unwrap_or_default().split_whitespace() {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        roles.extend(row.role.take());
        user = Some(row);
    }
    user.map(|user| Account {
        id: user.id,
        username: user.username,
        password_hash: user.password_hash,
        is_disabled: user.disabled,
        roles,
        scopes,
        has_second_factor: user.has_second_factor,
    })
}

/// Makes a user with its roles.
pub(crate) async fn insert(tx: &mut Tx<'_>, new: &NewUser<'_>, now: UtcMicros) -> Result<(), InsertError> {
    let inserted = execute!(
        &mut *tx,
        sqlx::query(INSERT)
            .bind(new.id)
            .bind(new.username.as_str())
            .bind(new.username.key())
            .bind(new.password_hash)
            .bind(now.as_micros())
    )?;
    if inserted == 0 {
        return Err(InsertError::UsernameTaken);
    }
    for role in new.roles {
        let granted = execute!(&mut *tx, sqlx::query(INSERT_ROLE).bind(new.id).bind(role))?;
        if granted == 0 {
            return Err(InsertError::RoleUnknown);
        }
    }
    Ok(())
}

/// Stores a password anew that is the same, unless it was changed meanwhile.
pub(crate) async fn renew_password(
    tx: &mut Tx<'_>,
    id: &str,
    stored: &str,
    hash: &str,
) -> Result<bool, DatabaseError> {
    let renewed = execute!(tx, sqlx::query(RENEW_PASSWORD).bind(hash).bind(id).bind(stored))?;
    Ok(renewed > 0)
}

/// Gives a user a password.
pub(crate) async fn set_password(tx: &mut Tx<'_>, id: &str, hash: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(SET_PASSWORD).bind(hash).bind(id))?;
    Ok(())
}

/// Whether anyone is an administrator.
pub(crate) async fn has_administrator(tx: &mut Tx<'_>) -> Result<bool, DatabaseError> {
    let (has,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (bool,)>(HAS_ROLE).bind(super::ADMIN_ROLE)
    )?;
    Ok(has)
}

/// At most `count_max` users whose names come after `after`, in the order of their names.
pub(super) async fn page(
    tx: &mut Tx<'_>,
    after: &str,
    filter: Filter<'_>,
    count_max: i64,
) -> Result<Vec<ShownUser>, DatabaseError> {
    let mut users = fetch!(
        fetch_all,
        &mut *tx,
        sqlx::query_as::<_, ShownUser>(SELECT_PAGE)
            .bind(after.to_owned())
            .bind(key_of(filter.prefix))
            .bind(filter.role.to_owned())
            .bind(count_max)
    )?;
    for user in &mut users {
        user.roles = role_names(tx, &user.id).await?;
    }
    Ok(users)
}

/// The user of that id, unless it was deleted.
pub(super) async fn find_shown(tx: &mut Tx<'_>, id: &str) -> Result<Option<ShownUser>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        &mut *tx,
        sqlx::query_as::<_, ShownUser>(SELECT_SHOWN).bind(id.to_owned())
    )?;
    let Some(mut user) = row else { return Ok(None) };
    user.roles = role_names(tx, id).await?;
    Ok(Some(user))
}

async fn role_names(tx: &mut Tx<'_>, id: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String,)>(SELECT_ROLE_NAMES).bind(id.to_owned())
    )?;
    Ok(rows.into_iter().map(|(role,)| role).collect())
}

/// Raises the version that `If-Match` names.
pub(crate) async fn raise_version(tx: &mut Tx<'_>, id: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(RAISE_VERSION).bind(id))?;
    Ok(())
}

/// Gives a user these roles in place of those it has.
pub(super) async fn set_roles(
    tx: &mut Tx<'_>,
    id: &str,
    roles: &BTreeSet<String>,
) -> Result<(), InsertError> {
    execute!(&mut *tx, sqlx::query(DELETE_ROLES).bind(id))?;
    for role in roles {
        if execute!(&mut *tx, sqlx::query(INSERT_ROLE).bind(id).bind(role))? == 0 {
            return Err(InsertError::RoleUnknown);
        }
    }
    Ok(())
}

/// Disables or enables a user.
pub(super) async fn set_standing(tx: &mut Tx<'_>, id: &str, new: &Standing) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(SET_DISABLED)
            .bind(new.disabled)
            .bind(new.by.as_deref())
            .bind(new.decision.as_deref())
            .bind(id)
    )?;
    Ok(())
}

/// Deletes a user, but for its row.
pub(super) async fn delete(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(&mut *tx, sqlx::query(DELETE_ROLES).bind(id))?;
    execute!(tx, sqlx::query(DELETE).bind(now.as_micros()).bind(true).bind(id))?;
    Ok(())
}

/// Enables a user that was disabled or deleted.
pub(super) async fn revive(tx: &mut Tx<'_>, id: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(REVIVE).bind(false).bind(id))?;
    Ok(())
}

/// Whether anybody else who is not disabled has the role. Whoever asks at the same time waits for the end of this
/// transaction, so that of two administrators who remove each other only one does.
pub(super) async fn has_other(tx: &mut Tx<'_>, role: &str, id: &str) -> Result<bool, DatabaseError> {
    execute!(&mut *tx, sqlx::query(LOCK_ROLE).bind(role))?;
    let (has,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (bool,)>(HAS_OTHER)
            .bind(role)
            .bind(id)
            .bind(false)
    )?;
    Ok(has)
}
