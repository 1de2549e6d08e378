//! Adds the log to the counts.

use shared::database::{DatabaseError, Hold, execute, fetch};

use super::source::WIDTHS;
use crate::search::TEXT_CHARACTERS_MAX;

/// Batches in one transaction: few enough that intake, which shares SQLite's only writer, does not wait for long.
const BATCHES_MAX: i64 = 16;

const NEXT: &str = "SELECT MAX(first_position + events) FROM (SELECT first_position, events FROM batch \
    WHERE first_position >= $1 ORDER BY first_position LIMIT $2) AS pending";

/// Adds the next batches, and returns whether there were any.
///
/// Right even if two leaders should do it at once: the row of the state makes them take turns.
pub(super) async fn add_batches(hold: &mut Hold) -> Result<bool, DatabaseError> {
    let mut tx = hold.begin().await?;
    // An update that changes nothing locks the row on both databases.
    let lock = "UPDATE rollup_state SET position = position WHERE id = 1 RETURNING position";
    let (from,): (i64,) = fetch!(fetch_one, &mut tx, sqlx::query_as(lock))?;
    let (to,): (Option<i64>,) = fetch!(
        fetch_one,
        &mut tx,
        sqlx::query_as(NEXT).bind(from).bind(BATCHES_MAX)
    )?;
    let Some(to) = to else {
        tx.commit().await?;
        return Ok(false);
    };
    for seconds in WIDTHS {
        let width = seconds * 1_000_000;
        // Numbers of our own making.
        let add = format!(
            "INSERT INTO rollup (width, start, class, action, outcome, reason, service, route, template, status, events) \
            SELECT {seconds}, e.time / {width} * {width}, e.class, {action}, e.outcome, {reason}, e.service, {route}, {template}, \
                COALESCE(e.status, 0), COUNT(*) \
            FROM batch b JOIN event e ON e.batch_id = b.id WHERE b.first_position >= $1 AND b.first_position < $2 \
            GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10 \
            ON CONFLICT (width, start, class, action, outcome, reason, service, route, template, status) \
            DO UPDATE SET events = rollup.events + excluded.events",
            action = short("action"),
            reason = short("reason"),
            route = short("route"),
            template = short("template"),
        );
        execute!(
            &mut tx,
            sqlx::query(sqlx::AssertSqlSafe(add.clone())).bind(from).bind(to)
        )?;
    }
    let advance = "UPDATE rollup_state SET position = $1 WHERE id = 1";
    execute!(&mut tx, sqlx::query(advance).bind(to))?;
    tx.commit().await?;
    Ok(true)
}

/// A column as counts are kept by it: the key of a count must fit into an index.
fn short(column: &str) -> String {
    format!("substr(COALESCE(e.{column}, ''), 1, {TEXT_CHARACTERS_MAX})")
}
