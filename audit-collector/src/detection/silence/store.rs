//! Silences at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;
use uuid::Uuid;

use super::{SILENCES_MAX, Silence};
use crate::detection::rule::Suppression;

const SELECT: &str = "SELECT id, rule_id, value, reason, until, made_by, made_at, ended_by FROM silence";

/// Silences that are listed: those in force, and the latest of the others.
const LISTED_MAX: i64 = 500;

#[derive(FromRow)]
struct SilenceRow {
    id: Uuid,
    rule_id: Option<String>,
    value: Option<String>,
    reason: String,
    until: i64,
    made_by: String,
    made_at: i64,
    ended_by: Option<String>,
}

impl From<SilenceRow> for Silence {
    fn from(row: SilenceRow) -> Self {
        Self {
            id: row.id,
            what: Suppression {
                rule: row.rule_id,
                value: row.value,
                reason: row.reason,
                until: UtcMicros::from_micros(row.until),
            },
            made_by: row.made_by,
            made_at: UtcMicros::from_micros(row.made_at),
            ended_by: row.ended_by,
        }
    }
}

/// Those that silence anything at `now`.
pub(in crate::detection) async fn in_force(
    tx: &mut Tx<'_>,
    now: UtcMicros,
) -> Result<Vec<Silence>, DatabaseError> {
    let select = format!("{SELECT} WHERE until > $1 ORDER BY until");
    let rows: Vec<SilenceRow> = fetch!(
        fetch_all,
        tx,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(now.as_micros())
    )?;
    Ok(rows.into_iter().map(Silence::from).collect())
}

/// The latest to end first.
pub(super) async fn latest(database: &Database) -> Result<Vec<Silence>, DatabaseError> {
    let select = format!("{SELECT} ORDER BY until DESC, id DESC LIMIT $1");
    let rows: Vec<SilenceRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(LISTED_MAX)
    )?;
    Ok(rows.into_iter().map(Silence::from).collect())
}

/// Adds one, unless there are as many as there may be.
pub(super) async fn add(tx: &mut Tx<'_>, silence: &Silence) -> Result<bool, DatabaseError> {
    lock(tx).await?;
    let count = "SELECT COUNT(*) FROM silence WHERE until > $1";
    let (count,): (i64,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as(count).bind(silence.made_at.as_micros())
    )?;
    if count >= SILENCES_MAX {
        return Ok(false);
    }
    let insert = "INSERT INTO silence (id, rule_id, value, reason, until, made_by, made_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(silence.id)
            .bind(&silence.what.rule)
            .bind(&silence.what.value)
            .bind(&silence.what.reason)
            .bind(silence.what.until.as_micros())
            .bind(&silence.made_by)
            .bind(silence.made_at.as_micros())
    )?;
    Ok(true)
}

/// Ends one that is in force, and returns it as it was.
pub(super) async fn end(
    tx: &mut Tx<'_>,
    id: Uuid,
    by: &str,
    now: UtcMicros,
) -> Result<Option<Silence>, DatabaseError> {
    lock(tx).await?;
    let before = in_force(tx, now).await?.into_iter().find(|one| one.id == id);
    if before.is_some() {
        let update = "UPDATE silence SET until = $2, ended_by = $3 WHERE id = $1";
        execute!(tx, sqlx::query(update).bind(id).bind(now.as_micros()).bind(by))?;
    }
    Ok(before)
}

/// Takes the lock under which silences are changed, so that their number is the one that is committed.
async fn lock(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    // An update that changes nothing locks the row on both databases.
    execute!(tx, sqlx::query("UPDATE silence_lock SET id = id WHERE id = 1"))?;
    Ok(())
}
