//! Signing keys at rest.

use shared::clock::UtcMicros;
use shared::token::Algorithm;

use super::plan::KeyTimes;
use shared::database::{DatabaseError, Tx, execute, fetch};

const SELECT_VERSION: &str = "SELECT version FROM signing_key_head WHERE only_row = 1";
const RAISE_VERSION: &str = "UPDATE signing_key_head SET version = version + 1 WHERE only_row = 1";
const SELECT: &str = "SELECT kid, algorithm, sealed_private, created_at, signs_from, revoked_at, public_key
    FROM signing_keys ORDER BY created_at, signs_from IS NULL, signs_from, kid";
const INSERT: &str =
    "INSERT INTO signing_keys (kid, algorithm, public_key, sealed_private, created_at, signs_from)
    VALUES ($1, $2, $3, $4, $5, $6)";
const SET_SIGNS_FROM: &str = "UPDATE signing_keys SET signs_from = $1 WHERE kid = $2";
const SET_REVOKED: &str = "UPDATE signing_keys SET revoked_at = $1 WHERE kid = $2 AND revoked_at IS NULL";
const FORGET_PRIVATE: &str = "UPDATE signing_keys SET sealed_private = NULL WHERE kid = $1";
const DELETE: &str = "DELETE FROM signing_keys WHERE kid = $1";

#[derive(sqlx::FromRow)]
struct Row {
    kid: String,
    algorithm: String,
    sealed_private: Option<Vec<u8>>,
    created_at: i64,
    signs_from: Option<i64>,
    revoked_at: Option<i64>,
    public_key: Vec<u8>,
}

/// A key as it is kept.
#[derive(Clone, Debug)]
pub(super) struct StoredKey {
    pub(super) times: KeyTimes,
    /// The public half as it is published.
    pub(super) jwk: Vec<u8>,
    pub(super) sealed_private: Option<Vec<u8>>,
}

/// A key that is made.
pub(super) struct NewKey<'a> {
    pub(super) kid: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) jwk: &'a [u8],
    pub(super) sealed_private: &'a [u8],
    pub(super) signs_from: Option<UtcMicros>,
}

/// What changes whenever the keys do.
pub(super) async fn version(tx: &mut Tx<'_>) -> Result<i64, DatabaseError> {
    let (version,) = fetch!(fetch_one, tx, sqlx::query_as::<_, (i64,)>(SELECT_VERSION))?;
    Ok(version)
}

/// Keeps everybody else from planning until the end of the transaction.
pub(super) async fn lock(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(RAISE_VERSION))?;
    Ok(())
}

/// Every key, the oldest first. One of an algorithm that this version does not know is an error of `Err(kid)`.
pub(super) async fn all(tx: &mut Tx<'_>) -> Result<Result<Vec<StoredKey>, String>, DatabaseError> {
    let rows = fetch!(fetch_all, tx, sqlx::query_as::<_, Row>(SELECT))?;
    Ok(rows.into_iter().map(read).collect())
}

fn read(row: Row) -> Result<StoredKey, String> {
    let algorithm = row.algorithm.parse::<Algorithm>().map_err(|_| row.kid.clone())?;
    let moment = UtcMicros::from_micros;
    Ok(StoredKey {
        times: KeyTimes {
            kid: row.kid,
            algorithm,
            created_at: moment(row.created_at),
            signs_from: row.signs_from.map(moment),
            revoked_at: row.revoked_at.map(moment),
            has_private: row.sealed_private.is_some(),
        },
        jwk: row.public_key,
        sealed_private: row.sealed_private,
    })
}

pub(super) async fn insert(tx: &mut Tx<'_>, key: &NewKey<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(key.kid)
            .bind(key.algorithm.as_str())
            .bind(key.jwk)
            .bind(key.sealed_private)
            .bind(now.as_micros())
            .bind(key.signs_from.map(UtcMicros::as_micros))
    )?;
    Ok(())
}

pub(super) async fn set_signs_from(
    tx: &mut Tx<'_>,
    kid: &str,
    signs_from: Option<UtcMicros>,
) -> Result<(), DatabaseError> {
    let micros = signs_from.map(UtcMicros::as_micros);
    execute!(tx, sqlx::query(SET_SIGNS_FROM).bind(micros).bind(kid))?;
    Ok(())
}

/// Marks a key as revoked; `false` if it was before.
pub(super) async fn set_revoked(tx: &mut Tx<'_>, kid: &str, now: UtcMicros) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(SET_REVOKED).bind(now.as_micros()).bind(kid))? == 1)
}

pub(super) async fn forget_private(tx: &mut Tx<'_>, kid: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(FORGET_PRIVATE).bind(kid))?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx<'_>, kid: &str) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE).bind(kid))?;
    Ok(())
}
