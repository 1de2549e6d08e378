//! Users and roles at rest.

use std::collections::BTreeSet;

use shared::clock::UtcMicros;

use super::name::{Username, key_of};
use shared::database::{DatabaseError, Tx, execute, fetch};

const SELECT_BY_ID: &str = "SELECT id, username, password_hash, disabled FROM users WHERE id = $1";
const SELECT_BY_NAME: &str =
    "SELECT id, username, password_hash, disabled FROM users WHERE username_key = $1";
const SELECT_ROLES: &str = "SELECT roles.name, roles.scopes FROM user_roles
    JOIN roles ON roles.name = user_roles.role WHERE user_roles.user_id = $1 ORDER BY roles.name";
const INSERT: &str = "INSERT INTO users (id, username, username_key, password_hash, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const INSERT_ROLE: &str = "INSERT INTO user_roles (user_id, role)
    SELECT $1, name FROM roles WHERE name = $2";
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

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    username: String,
    password_hash: Option<String>,
    disabled: bool,
}

/// The user of that id.
pub(crate) async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Account>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        &mut *tx,
        sqlx::query_as::<_, Row>(SELECT_BY_ID).bind(id)
    )?;
    with_roles(tx, row).await
}

/// The user of that name as it was typed, whatever that is.
pub(crate) async fn find_by_name(tx: &mut Tx<'_>, typed: &str) -> Result<Option<Account>, DatabaseError> {
    // PostgreSQL's texts hold no NUL, and no name does.
    if typed.contains('\0') {
        return Ok(None);
    }
    let row = fetch!(
        fetch_optional,
        &mut *tx,
        sqlx::query_as::<_, Row>(SELECT_BY_NAME).bind(key_of(typed))
    )?;
    with_roles(tx, row).await
}

async fn with_roles(tx: &mut Tx<'_>, row: Option<Row>) -> Result<Option<Account>, DatabaseError> {
    // Asked for nobody as well, so that an unknown name takes as long as a known one.
    let id = row.as_ref().map_or("", |row| row.id.as_str());
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String, String)>(SELECT_ROLES).bind(id.to_owned())
    )?;
    let Some(row) = row else { return Ok(None) };
    let mut scopes: Vec<String> = Vec::new();
    for scope in rows.iter().flat_map(|(_, scopes)| scopes.split_whitespace()) {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(Some(Account {
        id: row.id,
        username: row.username,
        password_hash: row.password_hash,
        is_disabled: row.disabled,
        roles: rows.into_iter().map(|(name, _)| name).collect(),
        scopes,
    }))
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
