//! Signing keys at rest.

use shared::clock::UtcMicros;

use super::key_set::{SigningKey, StoredKey};
use shared::database::{DatabaseError, Tx, execute, fetch};

/// The state of the one key that signs.
pub(super) const ACTIVE: &str = "active";

const SELECT_PUBLISHED: &str = "SELECT kid, algorithm, state, public_key, sealed_private FROM signing_keys
    WHERE state IN ('pre_published', 'active', 'retiring') ORDER BY created_at, kid";
const INSERT: &str =
    "INSERT INTO signing_keys (kid, algorithm, state, public_key, sealed_private, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

const SELECT_ACTIVE_SINCE: &str = "SELECT MAX(created_at) FROM signing_keys WHERE state = 'active'";

#[derive(sqlx::FromRow)]
struct Row {
    kid: String,
    algorithm: String,
    state: String,
    public_key: Vec<u8>,
    sealed_private: Vec<u8>,
}

/// Every key that belongs in the published set, the oldest first.
pub(super) async fn published(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>, DatabaseError> {
    let rows = fetch!(fetch_all, tx, sqlx::query_as::<_, Row>(SELECT_PUBLISHED))?;
    let stored = |row: Row| StoredKey {
        is_active: row.state == ACTIVE,
        kid: row.kid,
        algorithm: row.algorithm,
        public: row.public_key,
        sealed_private: row.sealed_private,
    };
    Ok(rows.into_iter().map(stored).collect())
}

/// When the key that signs was made, for the metrics.
pub(crate) async fn active_since(tx: &mut Tx<'_>) -> Result<Option<UtcMicros>, DatabaseError> {
    let (since,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (Option<i64>,)>(SELECT_ACTIVE_SINCE)
    )?;
    Ok(since.map(UtcMicros::from_micros))
}

/// Keeps `key` as the active one; `false` if there is one already, for which a concurrent insert is waited.
pub(super) async fn insert_active(
    tx: &mut Tx<'_>,
    key: &SigningKey,
    sealed_private: Vec<u8>,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let inserted = execute!(
        tx,
        sqlx::query(INSERT)
            .bind(&key.kid)
            .bind(key.algorithm.as_str())
            .bind(ACTIVE)
            .bind(&key.public)
            .bind(&sealed_private)
            .bind(now.as_micros())
    )?;
    Ok(inserted == 1)
}
