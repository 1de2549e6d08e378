//! Second factors at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

const IS_ENROLLED: &str = "SELECT EXISTS (SELECT 1 FROM totp_factors WHERE user_id = $1)";
const SELECT: &str = "SELECT sealed_secret, added_at FROM totp_factors WHERE user_id = $1";
const ADVANCE: &str = "UPDATE totp_factors SET last_step = $1 WHERE user_id = $2 AND last_step < $1";
const INSERT: &str = "INSERT INTO totp_factors (user_id, sealed_secret, last_step, added_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO NOTHING";
const DELETE: &str = "DELETE FROM totp_factors WHERE user_id = $1";
const PUT_ENROLMENT: &str = "INSERT INTO totp_enrolments (user_id, sealed_secret, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, expires_at = excluded.expires_at";
const HAS_ENROLMENT: &str =
    "SELECT EXISTS (SELECT 1 FROM totp_enrolments WHERE user_id = $1 AND expires_at > $2)";
const TAKE_ENROLMENT: &str = "DELETE FROM totp_enrolments WHERE user_id = $1 AND expires_at > $2
    RETURNING sealed_secret";
const DELETE_ENROLMENT: &str = "DELETE FROM totp_enrolments WHERE user_id = $1";
const DELETE_EXPIRED: &str = "DELETE FROM totp_enrolments WHERE expires_at <= $1";
const INSERT_CODE: &str = "INSERT INTO recovery_codes (code_hash, user_id) VALUES ($1, $2)";
const USE_CODE: &str = "DELETE FROM recovery_codes WHERE code_hash = $1 AND user_id = $2";
const CODES_LEFT: &str = "SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1";
const DELETE_CODES: &str = "DELETE FROM recovery_codes WHERE user_id = $1";

/// A factor as it is kept.
#[derive(sqlx::FromRow)]
pub(super) struct Kept {
    pub(super) sealed_secret: Vec<u8>,
    added_at: i64,
}

impl Kept {
    pub(super) const fn added_at(&self) -> UtcMicros {
        UtcMicros::from_micros(self.added_at)
    }
}

/// Whether a user has a second factor.
pub(crate) async fn is_enrolled(tx: &mut Tx<'_>, user_id: &str) -> Result<bool, DatabaseError> {
    let (is_enrolled,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (bool,)>(IS_ENROLLED).bind(user_id)
    )?;
    Ok(is_enrolled)
}

pub(super) async fn find(tx: &mut Tx<'_>, user_id: &str) -> Result<Option<Kept>, DatabaseError> {
    fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Kept>(SELECT).bind(user_id)
    )
}

/// Uses up the codes until `step`; `false` if that one was used before. This one statement decides who of many that show a code
/// at once is the first.
pub(super) async fn advance(tx: &mut Tx<'_>, user_id: &str, step: i64) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(ADVANCE).bind(step).bind(user_id))? == 1)
}

/// Gives a user a factor, of which codes until `last_step` are used; `false` if it has one.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    user_id: &str,
    (sealed_secret, last_step): (&[u8], i64),
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let inserted = execute!(
        tx,
        sqlx::query(INSERT)
            .bind(user_id)
            .bind(sealed_secret)
            .bind(last_step)
            .bind(now.as_micros())
    )?;
    Ok(inserted == 1)
}

/// Takes a user's factor, its recovery codes and what it has begun; `false` if it had no factor.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: &str) -> Result<bool, DatabaseError> {
    execute!(&mut *tx, sqlx::query(DELETE_CODES).bind(user_id))?;
    execute!(&mut *tx, sqlx::query(DELETE_ENROLMENT).bind(user_id))?;
    Ok(execute!(tx, sqlx::query(DELETE).bind(user_id))? == 1)
}

/// Keeps a secret that is to be confirmed; the one before is void.
pub(super) async fn put_enrolment(
    tx: &mut Tx<'_>,
    user_id: &str,
    sealed_secret: &[u8],
    expires_at: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(PUT_ENROLMENT)
            .bind(user_id)
            .bind(sealed_secret)
            .bind(expires_at.as_micros())
    )?;
    Ok(())
}

/// Whether a user has something to confirm.
pub(super) async fn has_enrolment(
    tx: &mut Tx<'_>,
    user_id: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let (has,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (bool,)>(HAS_ENROLMENT)
            .bind(user_id)
            .bind(now.as_micros())
    )?;
    Ok(has)
}

/// Takes out what is to be confirmed. Of two who confirm at once only one finds it.
pub(super) async fn take_enrolment(
    tx: &mut Tx<'_>,
    user_id: &str,
    now: UtcMicros,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, (Vec<u8>,)>(TAKE_ENROLMENT)
            .bind(user_id)
            .bind(now.as_micros())
    )?;
    Ok(row.map(|(sealed_secret,)| sealed_secret))
}

pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}

/// Gives a user these recovery codes in place of those it has.
pub(super) async fn replace_codes(
    tx: &mut Tx<'_>,
    user_id: &str,
    hashes: &[Vec<u8>],
) -> Result<(), DatabaseError> {
    execute!(&mut *tx, sqlx::query(DELETE_CODES).bind(user_id))?;
    for hash in hashes {
        execute!(&mut *tx, sqlx::query(INSERT_CODE).bind(hash).bind(user_id))?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` if the user has no such code, or not any more.
pub(super) async fn use_code(tx: &mut Tx<'_>, user_id: &str, hash: &[u8]) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(USE_CODE).bind(hash).bind(user_id))? == 1)
}

/// How many recovery codes a user has left.
pub(super) async fn codes_left(tx: &mut Tx<'_>, user_id: &str) -> Result<i64, DatabaseError> {
    let (left,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64,)>(CODES_LEFT).bind(user_id)
    )?;
    Ok(left)
}
