//! Saved searches at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;
use uuid::Uuid;

use super::question::Question;
use super::{NoRoom, OWN_MAX, SHARED_MAX, SavedSearch};

/// What the reader `$1` sees.
const VISIBLE: &str = "SELECT id, owner, name, filter, first_time, end_time, shared, version, made_at, changed_at \
     FROM saved_search WHERE (owner = $1 OR shared)";

#[derive(FromRow)]
struct SearchRow {
    id: Uuid,
    owner: String,
    name: String,
    filter: String,
    first_time: Option<i64>,
    end_time: Option<i64>,
    shared: bool,
    version: i64,
    made_at: i64,
    changed_at: i64,
}

impl From<SearchRow> for SavedSearch {
    fn from(row: SearchRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            question: Question {
                name: row.name,
                q: row.filter,
                from: row.first_time.map(UtcMicros::from_micros),
                to: row.end_time.map(UtcMicros::from_micros),
                shared: row.shared,
            },
            version: row.version,
            made_at: UtcMicros::from_micros(row.made_at),
            changed_at: UtcMicros::from_micros(row.changed_at),
        }
    }
}

/// What a reader sees, ordered by name.
pub(super) async fn visible(database: &Database, reader: &str) -> Result<Vec<SavedSearch>, DatabaseError> {
    let select = format!("{VISIBLE} ORDER BY name, id");
    let rows: Vec<SearchRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(reader)
    )?;
    Ok(rows.into_iter().map(SavedSearch::from).collect())
}

/// The search with that id, if the reader sees it.
pub(super) async fn one(
    database: &Database,
    reader: &str,
    id: Uuid,
) -> Result<Option<SavedSearch>, DatabaseError> {
    let select = format!("{VISIBLE} AND id = $2");
    let row: Option<SearchRow> = read!(
        fetch_optional,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
            .bind(reader)
            .bind(id)
    )?;
    Ok(row.map(SavedSearch::from))
}

/// The same, which nobody else changes until the transaction ends.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    reader: &str,
    id: Uuid,
) -> Result<Option<SavedSearch>, DatabaseError> {
    lock(tx).await?;
    let select = format!("{VISIBLE} AND id = $2");
    let row: Option<SearchRow> = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
            .bind(reader)
            .bind(id)
    )?;
    Ok(row.map(SavedSearch::from))
}

/// Keeps a search, or its new version, if there is room for it.
pub(super) async fn keep(tx: &mut Tx<'_>, search: &SavedSearch) -> Result<Result<(), NoRoom>, DatabaseError> {
    lock(tx).await?;
    if let Err(no_room) = room(tx, search).await? {
        return Ok(Err(no_room));
    }
    let put = "INSERT INTO saved_search \
         (id, owner, name, filter, first_time, end_time, shared, version, made_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, filter = excluded.filter, \
         first_time = excluded.first_time, end_time = excluded.end_time, shared = excluded.shared, \
         version = excluded.version, changed_at = excluded.changed_at";
    let question = &search.question;
    execute!(
        tx,
        sqlx::query(put)
            .bind(search.id)
            .bind(&search.owner)
            .bind(&question.name)
            .bind(&question.q)
            .bind(question.from.map(UtcMicros::as_micros))
            .bind(question.to.map(UtcMicros::as_micros))
            .bind(question.shared)
            .bind(search.version)
            .bind(search.made_at.as_micros())
            .bind(search.changed_at.as_micros())
    )?;
    Ok(Ok(()))
}

/// Forgets a search.
pub(super) async fn remove(tx: &mut Tx<'_>, id: Uuid) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query("DELETE FROM saved_search WHERE id = $1").bind(id))?;
    Ok(())
}

/// Whether the others leave room for a search.
async fn room(tx: &mut Tx<'_>, search: &SavedSearch) -> Result<Result<(), NoRoom>, DatabaseError> {
    let count = "SELECT COUNT(CASE WHEN owner = $1 AND name = $2 THEN 1 END), COUNT(CASE WHEN owner = $1 THEN 1 END), \
         COUNT(CASE WHEN shared THEN 1 END) FROM saved_search WHERE id <> $3 AND (owner = $1 OR shared)";
    let (alike, own, shared): (i64, i64, i64) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as(count)
            .bind(&search.owner)
            .bind(&search.question.name)
            .bind(search.id)
    )?;
    Ok(if alike > 0 {
        Err(NoRoom::NameTaken)
    } else if own >= OWN_MAX || (search.question.shared && shared >= SHARED_MAX) {
        Err(NoRoom::TooMany)
    } else {
        Ok(())
    })
}

/// Takes the lock under which searches are changed, so that their number and names are those that are committed.
async fn lock(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    // An update that changes nothing locks the row on both databases.
    execute!(
        tx,
        sqlx::query("UPDATE saved_search_lock SET id = id WHERE id = 1")
    )?;
    Ok(())
}
