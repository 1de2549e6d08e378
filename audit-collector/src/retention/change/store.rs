//! Changes that are asked for, at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Change, Wish};
use crate::retention::rule::Keeping;
use crate::retention::{hold, store};

const SELECT: &str =
    "SELECT id, wish, reason, requested_by, requested_at FROM retention_change WHERE decided_at IS NULL";

#[derive(FromRow)]
struct ChangeRow {
    id: Uuid,
    wish: String,
    reason: String,
    requested_by: String,
    requested_at: i64,
}

impl ChangeRow {
    fn read(self) -> Result<Change, DatabaseError> {
        let wish = serde_json::from_str(&self.wish).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Change {
            id: self.id,
            wish,
            reason: self.reason,
            requested_by: self.requested_by,
            requested_at: UtcMicros::from_micros(self.requested_at),
        })
    }
}

/// What was asked for and not decided, the latest first.
pub(in crate::retention) async fn open(database: &Database) -> Result<Vec<Change>, DatabaseError> {
    let select = format!("{SELECT} ORDER BY requested_at DESC LIMIT 500");
    let rows: Vec<ChangeRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
    )?;
    rows.into_iter().map(ChangeRow::read).collect()
}

/// Asks for a change, unless the same is asked for already. Returns whether it is new.
pub(in crate::retention) async fn ask(tx: &mut Tx<'_>, change: &Change) -> Result<bool, DatabaseError> {
    store::lock(tx).await?;
    let wish = serde_json::to_string(&change.wish).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let rows: Vec<ChangeRow> = fetch!(fetch_all, tx, sqlx::query_as(SELECT))?;
    let mut lapsed = Vec::new();
    for open in rows {
        let is_same = open.wish == wish;
        let open = open.read()?;
        if open.has_lapsed(change.requested_at) {
            lapsed.push(open.id);
        } else if is_same {
            return Ok(false);
        }
    }
    for id in lapsed {
        decide(tx, id, ("lapsed", "nobody"), change.requested_at).await?;
    }
    let insert = "INSERT INTO retention_change (id, wish, reason, requested_by, requested_at) VALUES ($1, $2, $3, $4, $5)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(change.id)
            .bind(&wish)
            .bind(&change.reason)
            .bind(&change.requested_by)
            .bind(change.requested_at.as_micros())
    )?;
    Ok(true)
}

/// The change with that id, if it is not decided.
pub(in crate::retention) async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Change>, DatabaseError> {
    store::lock(tx).await?;
    let select = format!("{SELECT} AND id = $1");
    let row: Option<ChangeRow> = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(id)
    )?;
    row.map(ChangeRow::read).transpose()
}

/// Does what was asked for.
pub(super) async fn confirm(
    tx: &mut Tx<'_>,
    change: &Change,
    by: &str,
    at: UtcMicros,
) -> Result<(), DatabaseError> {
    match &change.wish {
        Wish::Shorten { class, to_days, .. } => {
            let keeping = Keeping {
                class: *class,
                days: *to_days,
            };
            store::set_days(tx, keeping).await?;
        }
        Wish::Release { hold, .. } => {
            hold::store::release(tx, *hold, at).await?;
        }
    }
    decide(tx, change.id, ("confirmed", by), at).await
}

/// Notes that it will not be done.
pub(super) async fn withdraw(
    tx: &mut Tx<'_>,
    id: Uuid,
    by: &str,
    at: UtcMicros,
) -> Result<(), DatabaseError> {
    decide(tx, id, ("withdrawn", by), at).await
}

async fn decide(
    tx: &mut Tx<'_>,
    id: Uuid,
    (decision, by): (&str, &str),
    at: UtcMicros,
) -> Result<(), DatabaseError> {
    let update = "UPDATE retention_change SET decision = $2, decided_by = $3, decided_at = $4 WHERE id = $1";
    execute!(
        tx,
        sqlx::query(update)
            .bind(id)
            .bind(decision)
            .bind(by)
            .bind(at.as_micros())
    )?;
    Ok(())
}
