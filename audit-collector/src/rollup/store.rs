//! Adds to the counts and the sketches.

use std::collections::BTreeMap;

use shared::database::{DatabaseError, Hold, Tx, execute, fetch};

use super::count::{Key, Sketch};
use super::sketch;

const ADD: &str = "ON CONFLICT (width, start, class, action, outcome, reason, service, route, template, status) \
    DO UPDATE SET events = rollup.events + excluded.events";

/// How far the log has been taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The position of the next event to be counted.
    pub(super) counted: u64,
    /// The same for sketches, which is not behind it.
    pub(super) sketched: u64,
}

pub(super) async fn progress(hold: &mut Hold) -> Result<Progress, DatabaseError> {
    let mut tx = hold.begin().await?;
    let select = "SELECT position, sketched FROM rollup_state WHERE id = 1";
    let (counted, sketched): (i64, i64) = fetch!(fetch_one, &mut tx, sqlx::query_as(select))?;
    tx.commit().await?;
    Ok(Progress {
        counted: counted.cast_unsigned(),
        sketched: sketched.cast_unsigned(),
    })
}

/// Adds what is counted and sketched from one place on and moves to the next, unless another leader has come further.
pub(super) async fn add(
    hold: &mut Hold,
    (counts, sketches): (&BTreeMap<Key<'_>, i64>, &BTreeMap<Key<'_>, Sketch>),
    (before, after): (Progress, Progress),
) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    let advance = "UPDATE rollup_state SET position = $1, sketched = $2 WHERE id = 1 AND sketched = $3";
    let moved = execute!(
        &mut tx,
        sqlx::query(advance)
            .bind(after.counted.cast_signed())
            .bind(after.sketched.cast_signed())
            .bind(before.sketched.cast_signed())
    )?;
    if moved == 0 {
        return Err(DatabaseError::Raced);
    }
    insert(&mut tx, counts).await?;
    sketch::add(&mut tx, sketches).await?;
    tx.commit().await
}

async fn insert(tx: &mut Tx<'_>, counts: &BTreeMap<Key<'_>, i64>) -> Result<(), DatabaseError> {
    let columns = "width, start, class, action, outcome, reason, service, route, template, status, events";
    match tx {
        Tx::Sqlite(tx) => {
            let insert =
                format!("INSERT INTO rollup ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {ADD}");
            for (key, events) in counts {
                // A text of our own making.
                sqlx::query(sqlx::AssertSqlSafe(insert.clone()))
                    .bind(key.width)
                    .bind(key.start)
                    .bind(key.class)
                    .bind(&*key.action)
                    .bind(key.outcome)
                    .bind(&*key.reason)
                    .bind(key.service)
                    .bind(&*key.route)
                    .bind(&*key.template)
                    .bind(key.status)
                    .bind(events)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Tx::Postgres(tx) => {
            /// One column of all counts, as an array.
            macro_rules! column {
                ($key:ident => $value:expr) => {
                    counts.keys().map(|$key| $value).collect::<Vec<_>>()
                };
            }
            let insert = format!(
                "INSERT INTO rollup ({columns}) SELECT * FROM UNNEST($1::int[], $2::bigint[], $3::text[], $4::text[], \
                 $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::int[], $11::bigint[]) {ADD}"
            );
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .bind(column!(key => key.width))
                .bind(column!(key => key.start))
                .bind(column!(key => key.class))
                .bind(column!(key => &*key.action))
                .bind(column!(key => key.outcome))
                .bind(column!(key => &*key.reason))
                .bind(column!(key => key.service))
                .bind(column!(key => &*key.route))
                .bind(column!(key => &*key.template))
                .bind(column!(key => key.status))
                .bind(counts.values().copied().collect::<Vec<_>>())
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}
