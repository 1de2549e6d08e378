//! Secrets of clients at rest.

use std::time::Duration;

use shared::clock::UtcMicros;

use crate::secret::sha256;
use shared::database::{DatabaseError, Tx, execute, fetch};

/// How exact the time of the last use is: what is used a thousand times a second is not written as often.
const LAST_USED_EXACTNESS: Duration = Duration::from_mins(1);

const INSERT: &str = "INSERT INTO client_secrets (id, client_id, name, secret_hash, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT_BY_HASH: &str =
    "SELECT id, client_id, expires_at, last_used_at FROM client_secrets WHERE secret_hash = $1";
const SELECT_OF: &str = "SELECT id, name, created_at, expires_at, last_used_at FROM client_secrets
    WHERE client_id = $1 ORDER BY created_at, id";
const DELETE: &str = "DELETE FROM client_secrets WHERE client_id = $1 AND id = $2";
const DELETE_ALL: &str = "DELETE FROM client_secrets WHERE client_id = $1";
const SET_USED: &str = "UPDATE client_secrets SET last_used_at = $1
    WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)";

/// A secret that is made.
pub(crate) struct NewSecret<'a> {
    pub(crate) id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) expires_at: UtcMicros,
}

/// A secret without what makes it one.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

impl Secret {
    /// Whether it is good at `now`.
    pub(crate) fn is_live(&self, now: UtcMicros) -> bool {
        self.expires_at > now.as_micros()
    }
}

/// What a presented secret turned out to be.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: Option<i64>,
}

impl Found {
    /// Whether its use at `now` is to be written down.
    pub(crate) fn is_use_news(&self, now: UtcMicros) -> bool {
        let until = now.minus(LAST_USED_EXACTNESS).as_micros();
        self.last_used_at.is_none_or(|last| last <= until)
    }
}

/// Keeps the hash of a new secret.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    new: &NewSecret<'_>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(new.id)
            .bind(new.client_id)
            .bind(new.name)
            .bind(sha256(new.secret))
            .bind(now.as_micros())
            .bind(new.expires_at.as_micros())
    )?;
    Ok(())
}

/// Whose secret it is. Found by its hash, so that the time it takes tells nothing of any secret.
pub(crate) async fn find(tx: &mut Tx<'_>, secret: &str) -> Result<Option<Found>, DatabaseError> {
    fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Found>(SELECT_BY_HASH).bind(sha256(secret))
    )
}

/// The secrets of a client, expired ones too, the oldest first.
pub(crate) async fn of(tx: &mut Tx<'_>, client_id: &str) -> Result<Vec<Secret>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Secret>(SELECT_OF).bind(client_id)
    )
}

/// Deletes a secret of a client; `false` if it has none of that id.
pub(crate) async fn delete(tx: &mut Tx<'_>, client_id: &str, id: &str) -> Result<bool, DatabaseError> {
    let deleted = execute!(tx, sqlx::query(DELETE).bind(client_id).bind(id))?;
    Ok(deleted == 1)
}

/// Deletes every secret of a client.
pub(crate) async fn delete_all(tx: &mut Tx<'_>, client_id: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_ALL).bind(client_id))?;
    Ok(())
}

/// Writes down that a secret was used, unless another request has just done so.
pub(crate) async fn set_used(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(SET_USED)
            .bind(now.as_micros())
            .bind(id)
            .bind(now.minus(LAST_USED_EXACTNESS).as_micros())
    )?;
    Ok(())
}
