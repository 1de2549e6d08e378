//! Blocks at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

const COUNT: &str = "SELECT COUNT(*) FROM blocks WHERE lifted_at IS NULL AND expires_at > $1";
const SELECT_LIVE: &str = "SELECT id, kind, value, reason, created_at, expires_at, lifted_at FROM blocks
    WHERE lifted_at IS NULL AND expires_at > $1 ORDER BY id";
const SELECT_LIVE_OF: &str = "SELECT id, kind, value, reason, created_at, expires_at, lifted_at FROM blocks
    WHERE kind = $1 AND value = $2 AND lifted_at IS NULL AND expires_at > $3 ORDER BY id";
const SELECT: &str =
    "SELECT id, kind, value, reason, created_at, expires_at, lifted_at FROM blocks WHERE id = $1";
const INSERT: &str = "INSERT INTO blocks (id, kind, value, reason, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const LIFT: &str = "UPDATE blocks SET lifted_at = $1 WHERE id = $2";
const DELETE_EXPIRED: &str = "DELETE FROM blocks WHERE expires_at <= $1";

/// A block, until its time is over.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Block {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) value: String,
    pub(super) reason: String,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) lifted_at: Option<i64>,
}

impl Block {
    pub(super) const fn is_in_force(&self, now: UtcMicros) -> bool {
        self.lifted_at.is_none() && self.expires_at > now.as_micros()
    }
}

pub(super) async fn count(tx: &mut Tx<'_>, now: UtcMicros) -> Result<i64, DatabaseError> {
    let (count,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64,)>(COUNT).bind(now.as_micros())
    )?;
    Ok(count)
}

pub(super) async fn live(tx: &mut Tx<'_>, now: UtcMicros) -> Result<Vec<Block>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Block>(SELECT_LIVE).bind(now.as_micros())
    )
}

/// A block with that id, be it in force or lifted.
pub(super) async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Block>, DatabaseError> {
    fetch!(fetch_optional, tx, sqlx::query_as::<_, Block>(SELECT).bind(id))
}

pub(super) async fn insert(tx: &mut Tx<'_>, block: &Block) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(&block.id)
            .bind(&block.kind)
            .bind(&block.value)
            .bind(&block.reason)
            .bind(block.created_at)
            .bind(block.expires_at)
    )?;
    Ok(())
}

/// The blocks of a target that are in force.
pub(super) async fn live_of(
    tx: &mut Tx<'_>,
    (kind, value): (&str, &str),
    now: UtcMicros,
) -> Result<Vec<Block>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Block>(SELECT_LIVE_OF)
            .bind(kind)
            .bind(value)
            .bind(now.as_micros())
    )
}

pub(super) async fn lift(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(LIFT).bind(now.as_micros()).bind(id))?;
    Ok(())
}

pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}
