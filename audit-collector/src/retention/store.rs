//! For how long classes are kept, at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use shared::event::Class;
use uuid::Uuid;

use super::removal::Kept;
use super::rule::Keeping;
use super::{Hold, hold};

/// Takes the lock under which events are removed and holds are made, so that a hold that was answered holds all that was there.
pub(super) async fn lock(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    // An update that changes nothing locks the row on both databases.
    execute!(tx, sqlx::query("UPDATE retention_state SET id = id WHERE id = 1"))?;
    Ok(())
}

/// The days for which a class is kept, once they were set.
pub(super) async fn days(tx: &mut Tx<'_>, class: Class) -> Result<Option<u32>, DatabaseError> {
    let select = "SELECT days FROM retention WHERE class = $1";
    let row: Option<(i32,)> = fetch!(fetch_optional, tx, sqlx::query_as(select).bind(class.as_str()))?;
    Ok(row.and_then(|(days,)| u32::try_from(days).ok()))
}

/// Sets them.
pub(super) async fn set_days(tx: &mut Tx<'_>, keeping: Keeping) -> Result<(), DatabaseError> {
    let set = "INSERT INTO retention (class, days) VALUES ($1, $2) ON CONFLICT (class) DO UPDATE SET days = excluded.days";
    let days = i32::try_from(keeping.days).unwrap_or(i32::MAX);
    execute!(tx, sqlx::query(set).bind(keeping.class.as_str()).bind(days))?;
    Ok(())
}

/// The days of every class that were set.
pub(super) async fn all_days(database: &Database) -> Result<Vec<(String, i32)>, DatabaseError> {
    read!(
        fetch_all,
        database,
        sqlx::query_as("SELECT class, days FROM retention")
    )
}

/// What is not to be removed.
pub(super) async fn kept(tx: &mut Tx<'_>) -> Result<Kept, DatabaseError> {
    let holds = hold::store::in_force(tx).await?;
    let filters = holds.iter().map(Hold::filter).collect::<Result<_, _>>();
    // A hold whose filter is not understood any more holds everything up rather than nothing.
    let filters = filters.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Kept(filters))
}

/// When events were last removed, and by which run.
pub(super) async fn last_run(database: &Database) -> Result<Option<(UtcMicros, Uuid)>, DatabaseError> {
    let select = "SELECT ran_at, run FROM retention_state WHERE id = 1 AND ran_at IS NOT NULL";
    let row: Option<(i64, Uuid)> = read!(fetch_optional, database, sqlx::query_as(select))?;
    Ok(row.map(|(at, run)| (UtcMicros::from_micros(at), run)))
}

/// Notes a run.
pub(super) async fn note_run(tx: &mut Tx<'_>, at: UtcMicros, run: Uuid) -> Result<(), DatabaseError> {
    let note = "UPDATE retention_state SET ran_at = $1, run = $2 WHERE id = 1";
    execute!(tx, sqlx::query(note).bind(at.as_micros()).bind(run))?;
    Ok(())
}
