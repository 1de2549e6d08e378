//! What people do with alerts, at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use uuid::Uuid;

use super::body::{Act, Note};
use super::standing::Standing;
use crate::detection::engine::Fingerprint;

/// Notes of an alert at most: a reader gets all of them.
const NOTES_MAX: i64 = 500;

/// Changes that a reader gets at most, the latest.
const ACTS_MAX: i64 = 500;

/// Changes an alert that stands as it did at `revision`; `false` if it does not.
pub(super) async fn change(
    tx: &mut Tx<'_>,
    (fingerprint, revision): (Fingerprint, i64),
    act: &Act,
) -> Result<bool, DatabaseError> {
    let update = "UPDATE alert SET status = $3, verdict = $4, assignee = $5, updated_at = $6, revision = revision + 1 \
        WHERE fingerprint = $1 AND revision = $2";
    let Standing {
        status,
        verdict,
        assignee,
    } = &act.after;
    let changed = execute!(
        &mut *tx,
        sqlx::query(update)
            .bind(fingerprint.0.to_vec())
            .bind(revision)
            .bind(status.as_str())
            .bind(verdict.map(super::Verdict::as_str))
            .bind(assignee.clone())
            .bind(act.at.as_micros())
    )?;
    if changed == 0 {
        return Ok(false);
    }
    let insert = "INSERT INTO alert_act (id, fingerprint, acted_at, author, before, after) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(act.id)
            .bind(fingerprint.0.to_vec())
            .bind(act.at.as_micros())
            .bind(act.author.as_str())
            .bind(json(&act.before))
            .bind(json(&act.after))
    )?;
    Ok(true)
}

/// Three words can always be written.
fn json(standing: &Standing) -> String {
    serde_json::to_string(standing).unwrap_or_default()
}

/// Adds a note; how many there were before, or `None` if there are as many as there may be.
///
/// Notes of one alert that are added at the same moment may exceed the bound by their number.
pub(super) async fn add_note(
    tx: &mut Tx<'_>,
    fingerprint: Fingerprint,
    note: &Note,
) -> Result<Option<i64>, DatabaseError> {
    let count = "SELECT COUNT(*) FROM alert_note WHERE fingerprint = $1";
    let (before,): (i64,) = fetch!(
        fetch_one,
        &mut *tx,
        sqlx::query_as(count).bind(fingerprint.0.to_vec())
    )?;
    if before >= NOTES_MAX {
        return Ok(None);
    }
    let insert =
        "INSERT INTO alert_note (id, fingerprint, written_at, author, text) VALUES ($1, $2, $3, $4, $5)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(note.id)
            .bind(fingerprint.0.to_vec())
            .bind(note.written_at.as_micros())
            .bind(note.author.as_str())
            .bind(note.text.as_str())
    )?;
    Ok(Some(before))
}

/// All notes of an alert, the oldest first.
pub(in crate::alert) async fn notes(
    database: &Database,
    fingerprint: Fingerprint,
) -> Result<Vec<Note>, DatabaseError> {
    let select =
        "SELECT id, written_at, author, text FROM alert_note WHERE fingerprint = $1 ORDER BY written_at, id";
    let rows: Vec<(Uuid, i64, String, String)> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(fingerprint.0.to_vec())
    )?;
    let note = |(id, written_at, author, text)| Note {
        id,
        written_at: UtcMicros::from_micros(written_at),
        author,
        text,
    };
    Ok(rows.into_iter().map(note).collect())
}

/// The latest changes of an alert, the oldest first.
pub(in crate::alert) async fn history(
    database: &Database,
    fingerprint: Fingerprint,
) -> Result<Vec<Act>, DatabaseError> {
    let select = "SELECT id, acted_at, author, before, after FROM alert_act WHERE fingerprint = $1 \
        ORDER BY acted_at DESC, id DESC LIMIT $2";
    let rows: Vec<(Uuid, i64, String, String, String)> = read!(
        fetch_all,
        database,
        sqlx::query_as(select).bind(fingerprint.0.to_vec()).bind(ACTS_MAX)
    )?;
    let act = |(id, acted_at, author, before, after): (Uuid, i64, String, String, String)| Act {
        id,
        at: UtcMicros::from_micros(acted_at),
        author,
        before: serde_json::from_str(&before).unwrap_or_default(),
        after: serde_json::from_str(&after).unwrap_or_default(),
    };
    Ok(rows.into_iter().rev().map(act).collect())
}
