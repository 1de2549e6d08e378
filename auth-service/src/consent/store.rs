//! Consents at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

const SELECT: &str = "SELECT scope FROM consents WHERE user_id = $1 AND client_id = $2 AND audience = $3";
const SELECT_ALL: &str = "SELECT client_id, audience, scope, granted_at FROM consents WHERE user_id = $1
    ORDER BY client_id, audience";
const PUT: &str = "INSERT INTO consents (user_id, client_id, audience, scope, granted_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (user_id, client_id, audience) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at";
const DELETE: &str = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2";

/// What a user has allowed a client for one audience.
#[derive(sqlx::FromRow)]
pub(super) struct Consent {
    pub(super) client_id: String,
    pub(super) audience: String,
    pub(super) scope: String,
    pub(super) granted_at: i64,
}

pub(super) async fn find(
    tx: &mut Tx<'_>,
    user_id: &str,
    client_id: &str,
    audience: &str,
) -> Result<Option<String>, DatabaseError> {
    let found = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, (String,)>(SELECT)
            .bind(user_id)
            .bind(client_id)
            .bind(audience)
    )?;
    Ok(found.map(|(scope,)| scope))
}

/// Everything that a user has allowed.
pub(super) async fn all_of(tx: &mut Tx<'_>, user_id: &str) -> Result<Vec<Consent>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Consent>(SELECT_ALL).bind(user_id)
    )
}

pub(super) async fn put(
    tx: &mut Tx<'_>,
    user_id: &str,
    client_id: &str,
    (audience, scope): (&str, &str),
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(PUT)
            .bind(user_id)
            .bind(client_id)
            .bind(audience)
            .bind(scope)
            .bind(now.as_micros())
    )?;
    Ok(())
}

/// Takes back all that a user has allowed a client; `false` if it was nothing.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: &str, client_id: &str) -> Result<bool, DatabaseError> {
    let deleted = execute!(tx, sqlx::query(DELETE).bind(user_id).bind(client_id))?;
    Ok(deleted > 0)
}
