//! Roles at rest.

use shared::database::{DatabaseError, Tx, execute, fetch};

const SELECT_ALL: &str = "SELECT name, scopes, version FROM roles ORDER BY name";
const SELECT: &str = "SELECT name, scopes, version FROM roles WHERE name = $1";
const INSERT: &str = "INSERT INTO roles (name, scopes) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE roles SET scopes = $1, version = version + 1 WHERE name = $2";
const DELETE: &str = "DELETE FROM roles WHERE name = $1";
const SELECT_HOLDERS: &str = "SELECT user_id FROM user_roles WHERE role = $1 ORDER BY user_id";

/// A role as it is kept.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Role {
    pub(super) name: String,
    /// Separated by spaces.
    pub(super) scopes: String,
    pub(super) version: i64,
}

/// Every role, by name; there are few.
pub(super) async fn all(tx: &mut Tx<'_>) -> Result<Vec<Role>, DatabaseError> {
    fetch!(fetch_all, tx, sqlx::query_as::<_, Role>(SELECT_ALL))
}

/// The role of that name.
pub(super) async fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Role>, DatabaseError> {
    fetch!(fetch_optional, tx, sqlx::query_as::<_, Role>(SELECT).bind(name))
}

/// Keeps a new role; `false` if there is one of that name.
pub(super) async fn insert(tx: &mut Tx<'_>, name: &str, scopes: &str) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(INSERT).bind(name).bind(scopes))? == 1)
}

/// Gives a role other scopes.
pub(super) async fn update(tx: &mut Tx<'_>, name: &str, scopes: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(UPDATE).bind(scopes).bind(name))?;
    Ok(())
}

/// Deletes a role that nobody has.
pub(super) async fn delete(tx: &mut Tx<'_>, name: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE).bind(name))?;
    Ok(())
}

/// The ids of the users who have a role.
pub(super) async fn holders(tx: &mut Tx<'_>, name: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String,)>(SELECT_HOLDERS).bind(name)
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
