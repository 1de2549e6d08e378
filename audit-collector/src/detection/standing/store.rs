//! Decisions about rules at rest.

use std::collections::HashMap;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};

use super::Standing;

const SELECT: &str = "SELECT rule_id, shadow, revision, changed_by, changed_at FROM rule_standing";

type Row = (String, Option<bool>, i64, String, i64);

fn standings(rows: Vec<Row>) -> HashMap<String, Standing> {
    let of = |(rule, shadow, revision, changed_by, changed_at)| {
        let standing = Standing {
            shadow,
            revision,
            changed_by: Some(changed_by),
            changed_at: Some(UtcMicros::from_micros(changed_at)),
        };
        (rule, standing)
    };
    rows.into_iter().map(of).collect()
}

/// Every decision, by the rule's id; as many as there are rules at most, and those of rules that are gone.
pub(in crate::detection) async fn all(
    database: &Database,
) -> Result<HashMap<String, Standing>, DatabaseError> {
    let rows: Vec<Row> = read!(fetch_all, database, sqlx::query_as(SELECT))?;
    Ok(standings(rows))
}

/// The same as a transaction sees it.
pub(in crate::detection) async fn all_within(
    tx: &mut Tx<'_>,
) -> Result<HashMap<String, Standing>, DatabaseError> {
    let rows: Vec<Row> = fetch!(fetch_all, tx, sqlx::query_as(SELECT))?;
    Ok(standings(rows))
}

/// Puts a decision in the place of the one before; false if somebody else has meanwhile.
pub(super) async fn keep(
    tx: &mut Tx<'_>,
    rule: &str,
    standing: &Standing,
    seen: i64,
) -> Result<bool, DatabaseError> {
    let put = "INSERT INTO rule_standing (rule_id, shadow, revision, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (rule_id) DO UPDATE SET shadow = excluded.shadow, revision = excluded.revision, \
        changed_by = excluded.changed_by, changed_at = excluded.changed_at WHERE rule_standing.revision = $6";
    let kept = execute!(
        tx,
        sqlx::query(put)
            .bind(rule)
            .bind(standing.shadow)
            .bind(standing.revision)
            .bind(&standing.changed_by)
            .bind(standing.changed_at.map(UtcMicros::as_micros))
            .bind(seen)
    )?;
    Ok(kept == 1)
}
