//! Memories at rest, as JSON that only the engine reads.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, read};
use sqlx::AssertSqlSafe;

use crate::detection::engine::{Memory, MemoryKey};

/// Columns as arrays: thousands of memories as one JSON take PostgreSQL longer to read than to store.
const KEEP_POSTGRES: &str = "INSERT INTO detection_memory (rule_id, group_values, memory, updated_at) \
    SELECT one.rule_id, one.group_values, one.memory, $4 \
    FROM UNNEST($1::text[], $2::text[], $3::text[]) AS one (rule_id, group_values, memory) \
    ON CONFLICT (rule_id, group_values) DO UPDATE SET memory = excluded.memory, updated_at = excluded.updated_at";

/// `WHERE TRUE`, since SQLite takes `ON` for a join's otherwise.
const KEEP_SQLITE: &str = "INSERT INTO detection_memory (rule_id, group_values, memory, updated_at) \
    SELECT one.value ->> 0, one.value ->> 1, one.value ->> 2, $2 FROM json_each($1) AS one WHERE TRUE \
    ON CONFLICT (rule_id, group_values) DO UPDATE SET memory = excluded.memory, updated_at = excluded.updated_at";

/// Stores memories by one statement: thousands may have changed, one for each user that was seen.
pub(in crate::detection) async fn keep(
    tx: &mut Tx<'_>,
    memories: &HashMap<MemoryKey, Memory>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    if memories.is_empty() {
        return Ok(());
    }
    // In one order everywhere.
    let rows: BTreeMap<_, _> = memories
        .iter()
        .map(|(key, memory)| (memory_key(key), json_text(memory)))
        .collect();
    let now = now.as_micros();
    match tx {
        Tx::Postgres(tx) => {
            let column =
                |of: fn((&(String, String), &String)) -> String| rows.iter().map(of).collect::<Vec<_>>();
            sqlx::query(KEEP_POSTGRES)
                .bind(column(|((rule, _), _)| rule.clone()))
                .bind(column(|((_, group), _)| group.clone()))
                .bind(column(|(_, memory)| memory.clone()))
                .bind(now)
                .execute(&mut **tx)
                .await?;
        }
        Tx::Sqlite(tx) => {
            let rows: Vec<_> = rows
                .iter()
                .map(|((rule, group), memory)| [rule, group, memory])
                .collect();
            sqlx::query(KEEP_SQLITE)
                .bind(json_text(&rows))
                .bind(now)
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// The memories of groups, as far as they have one; empty if what is there cannot be read any more.
pub(super) async fn known(
    database: &Database,
    keys: &[MemoryKey],
) -> Result<HashMap<MemoryKey, Memory>, DatabaseError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: HashMap<_, _> = keys.iter().map(|key| (memory_key(key), key)).collect();
    let from = if database.is_postgres() {
        "json_array_elements(CAST($1 AS json))"
    } else {
        "json_each($1)"
    };
    let select = format!(
        "SELECT known.rule_id, known.group_values, known.memory FROM {from} AS one \
        JOIN detection_memory known ON known.rule_id = one.value ->> 0 AND known.group_values = one.value ->> 1"
    );
    let pairs = json_text(&wanted.keys().collect::<Vec<_>>());
    let rows: Vec<(String, String, String)> = read!(
        fetch_all,
        database,
        sqlx::query_as(AssertSqlSafe(select.clone())).bind(pairs.clone())
    )?;
    let known = rows.into_iter().filter_map(|(rule, group, memory)| {
        let key = *wanted.get(&(rule, group))?;
        Some((key.clone(), serde_json::from_str(&memory).unwrap_or_default()))
    });
    Ok(known.collect())
}

fn memory_key((rule, group): &MemoryKey) -> (String, String) {
    (rule.to_string(), json_text(group))
}

/// Texts, numbers and lists of them, which cannot fail to be written.
fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
