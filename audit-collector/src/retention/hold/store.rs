//! Holds at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;
use uuid::Uuid;

use super::{HOLDS_MAX, Hold};
use crate::retention::store::lock;

const SELECT: &str = "SELECT id, name, filter, reason, made_by, made_at, released_at FROM hold";

#[derive(FromRow)]
struct HoldRow {
    id: Uuid,
    name: String,
    filter: String,
    reason: String,
    made_by: String,
    made_at: i64,
    released_at: Option<i64>,
}

impl From<HoldRow> for Hold {
    fn from(row: HoldRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            q: row.filter,
            reason: row.reason,
            made_by: row.made_by,
            made_at: UtcMicros::from_micros(row.made_at),
            released_at: row.released_at.map(UtcMicros::from_micros),
        }
    }
}

/// Holds that keep events.
pub(in crate::retention) async fn in_force(tx: &mut Tx<'_>) -> Result<Vec<Hold>, DatabaseError> {
    let select = format!("{SELECT} WHERE released_at IS NULL ORDER BY made_at");
    let rows: Vec<HoldRow> = fetch!(fetch_all, tx, sqlx::query_as(sqlx::AssertSqlSafe(select.clone())))?;
    Ok(rows.into_iter().map(Hold::from).collect())
}

/// Every hold there is or was, the latest first, as far as a list goes.
pub(in crate::retention) async fn all(database: &Database) -> Result<Vec<Hold>, DatabaseError> {
    let select = format!("{SELECT} ORDER BY released_at IS NOT NULL, made_at DESC LIMIT 500");
    let rows: Vec<HoldRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
    )?;
    Ok(rows.into_iter().map(Hold::from).collect())
}

/// The hold with that id, if it keeps events.
pub(in crate::retention) async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Hold>, DatabaseError> {
    let holds = in_force(tx).await?;
    Ok(holds.into_iter().find(|hold| hold.id == id))
}

/// Makes a hold, unless there are too many or one in force has its name. From then on no event that meets it is removed.
pub(in crate::retention) async fn add(tx: &mut Tx<'_>, hold: &Hold) -> Result<bool, DatabaseError> {
    lock(tx).await?;
    let count = "SELECT COUNT(*), COUNT(CASE WHEN name = $1 THEN 1 END) FROM hold WHERE released_at IS NULL";
    let (holds, alike): (i64, i64) = fetch!(fetch_one, tx, sqlx::query_as(count).bind(&hold.name))?;
    if holds >= HOLDS_MAX || alike > 0 {
        return Ok(false);
    }
    let insert =
        "INSERT INTO hold (id, name, filter, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(hold.id)
            .bind(&hold.name)
            .bind(&hold.q)
            .bind(&hold.reason)
            .bind(&hold.made_by)
            .bind(hold.made_at.as_micros())
    )?;
    Ok(true)
}

/// Ends a hold.
pub(in crate::retention) async fn release(
    tx: &mut Tx<'_>,
    id: Uuid,
    at: UtcMicros,
) -> Result<bool, DatabaseError> {
    let update = "UPDATE hold SET released_at = $2 WHERE id = $1 AND released_at IS NULL";
    Ok(execute!(tx, sqlx::query(update).bind(id).bind(at.as_micros()))? > 0)
}
