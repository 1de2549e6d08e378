//! Adds to what is kept, and forgets names.

use std::collections::BTreeMap;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Hold, Tx, execute, fetch};
use shared::event::Class;

use super::kind::Kinds;
use super::pending::{Added, Cell};
use super::{heavy, sketch};

const ADD: &str =
    "ON CONFLICT (detail, width, start, kind) DO UPDATE SET events = rollup.events + excluded.events";

/// How far the log has been taken in: the position of the next event.
pub(super) async fn position(hold: &mut Hold) -> Result<u64, DatabaseError> {
    let mut tx = hold.begin().await?;
    let select = "SELECT position FROM rollup_state WHERE id = 1";
    let (position,): (i64,) = fetch!(fetch_one, &mut tx, sqlx::query_as(select))?;
    tx.commit().await?;
    Ok(position.cast_unsigned())
}

/// Adds what the log from one place on holds, and moves to the next, unless another leader has come further.
pub(super) async fn add(
    hold: &mut Hold,
    (added, kinds): (&Added, &mut Kinds),
    (before, after): (u64, u64),
) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    let advance = "UPDATE rollup_state SET position = $1 WHERE id = 1 AND position = $2";
    let moved = execute!(
        &mut tx,
        sqlx::query(advance)
            .bind(after.cast_signed())
            .bind(before.cast_signed())
    )?;
    if moved == 0 {
        return Err(DatabaseError::Raced);
    }
    number(&mut tx, kinds).await?;
    insert(&mut tx, &keyed(&added.counts, kinds)).await?;
    let heavy = sketch::add(&mut tx, &keyed(&added.sketches, kinds)).await?;
    heavy::add(&mut tx, (added, kinds), heavy, after).await?;
    tx.commit().await
}

/// Where something is kept, by the numbers of the database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) detail: i16,
    pub(super) width: i32,
    pub(super) start: i64,
    pub(super) kind: i32,
}

fn keyed<'a, V>(cells: &'a BTreeMap<Cell, V>, kinds: &Kinds) -> Vec<(Key, &'a V)> {
    let keyed = cells.iter().filter_map(|(cell, value)| {
        let key = Key {
            detail: cell.detail.number(),
            width: i32::try_from(cell.width).ok()?,
            start: cell.start,
            kind: kinds.id(cell.kind)?,
        };
        Some((key, value))
    });
    keyed.collect()
}

/// Finds the numbers of kinds that are not known, which get one if they have none.
pub(super) async fn number(tx: &mut Tx<'_>, kinds: &mut Kinds) -> Result<(), DatabaseError> {
    let columns = "detail, class, action, outcome, identity, service, reason, route, template, status";
    // It changes nothing of a kind that is there: without it, no number would come back.
    let upsert = format!(
        "INSERT INTO rollup_kind ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
        ON CONFLICT ({columns}) DO UPDATE SET detail = excluded.detail RETURNING id"
    );
    let mut ids = Vec::new();
    for (place, kind) in kinds.unknown() {
        let (id,): (i32,) = fetch!(
            fetch_one,
            &mut *tx,
            sqlx::query_as(sqlx::AssertSqlSafe(upsert.clone()))
                .bind(kind.detail.number())
                .bind(&*kind.class)
                .bind(&*kind.action)
                .bind(&*kind.outcome)
                .bind(&*kind.identity)
                .bind(&*kind.service)
                .bind(&*kind.reason)
                .bind(&*kind.route)
                .bind(&*kind.template)
                .bind(kind.status)
        )?;
        ids.push((place, id));
    }
    // Should they not be committed, whoever leads begins without any.
    kinds.know(&ids);
    Ok(())
}

async fn insert(tx: &mut Tx<'_>, counts: &[(Key, &i64)]) -> Result<(), DatabaseError> {
    let columns = "detail, width, start, kind, events";
    match tx {
        Tx::Sqlite(tx) => {
            let insert = format!("INSERT INTO rollup ({columns}) VALUES (?, ?, ?, ?, ?) {ADD}");
            for (key, events) in counts {
                // A text of our own making.
                sqlx::query(sqlx::AssertSqlSafe(insert.clone()))
                    .bind(key.detail)
                    .bind(key.width)
                    .bind(key.start)
                    .bind(key.kind)
                    .bind(events)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Tx::Postgres(tx) => {
            let insert = format!(
                "INSERT INTO rollup ({columns}) SELECT * FROM \
                UNNEST($1::smallint[], $2::int[], $3::bigint[], $4::int[], $5::bigint[]) {ADD}"
            );
            let keys = || counts.iter().map(|(key, _)| key);
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .bind(keys().map(|key| key.detail).collect::<Vec<_>>())
                .bind(keys().map(|key| key.width).collect::<Vec<_>>())
                .bind(keys().map(|key| key.start).collect::<Vec<_>>())
                .bind(keys().map(|key| key.kind).collect::<Vec<_>>())
                .bind(counts.iter().map(|(_, events)| **events).collect::<Vec<_>>())
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// Forgets the names of users and addresses in whatever of a class is older than `before` as a whole.
pub(crate) async fn forget_names(
    tx: &mut Tx<'_>,
    class: Class,
    before: UtcMicros,
) -> Result<(), DatabaseError> {
    let forget = "UPDATE rollup_sketch SET frequent_users = NULL, frequent_addresses = NULL \
        WHERE detail = 0 AND start + width * CAST(1000000 AS BIGINT) <= $1 AND frequent_users IS NOT NULL \
        AND kind IN (SELECT id FROM rollup_kind WHERE class = $2)";
    execute!(
        tx,
        sqlx::query(forget).bind(before.as_micros()).bind(class.as_str())
    )?;
    heavy::forget(tx, class, before).await
}
