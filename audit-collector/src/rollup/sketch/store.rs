//! Adds to the sketches: those that are kept are read, added to and written again, in the transaction that moves on.

use std::collections::BTreeMap;

use shared::database::{DatabaseError, SqliteTx, Tx};
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::{Distinct, Spread};
use crate::rollup::count::{Key, Sketch};

const KEY: &str = "width, start, class, action, outcome, reason, service, route, template, status";

const UPSERT: &str = "ON CONFLICT (width, start, class, action, outcome, reason, service, route, template, status) \
    DO UPDATE SET events = excluded.events, users = excluded.users, addresses = excluded.addresses, durations = excluded.durations";

/// Events and the three sketches.
type Kept = (i64, Vec<u8>, Vec<u8>, Vec<u8>);

pub(in crate::rollup) async fn add(
    tx: &mut Tx<'_>,
    sketches: &BTreeMap<Key<'_>, Sketch>,
) -> Result<(), DatabaseError> {
    match tx {
        Tx::Sqlite(tx) => add_sqlite(tx, sketches).await,
        Tx::Postgres(tx) => add_postgres(tx, sketches).await,
    }
}

fn read((events, users, addresses, durations): Kept) -> Result<Sketch, DatabaseError> {
    let sketch = || {
        Some(Sketch {
            events,
            users: Distinct::from_bytes(&users)?,
            addresses: Distinct::from_bytes(&addresses)?,
            durations: Spread::from_bytes(&durations)?,
        })
    };
    sketch().ok_or_else(|| sqlx::Error::Decode("the bytes of a sketch are none".into()).into())
}

async fn add_sqlite(tx: &mut SqliteTx, sketches: &BTreeMap<Key<'_>, Sketch>) -> Result<(), DatabaseError> {
    let select = format!(
        "SELECT events, users, addresses, durations FROM rollup_sketch \
        WHERE ({KEY}) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    );
    let insert = format!(
        "INSERT INTO rollup_sketch ({KEY}, events, users, addresses, durations) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {UPSERT}"
    );
    /// A statement of our own making with the key bound.
    macro_rules! of_key {
        ($query:expr, $key:ident) => {
            $query
                .bind($key.width)
                .bind($key.start)
                .bind($key.class)
                .bind(&*$key.action)
                .bind($key.outcome)
                .bind(&*$key.reason)
                .bind($key.service)
                .bind(&*$key.route)
                .bind(&*$key.template)
                .bind($key.status)
        };
    }
    for (key, fresh) in sketches {
        let kept: Option<Kept> = of_key!(sqlx::query_as(AssertSqlSafe(select.clone())), key)
            .fetch_optional(&mut **tx)
            .await?;
        let mut sketch = kept.map(read).transpose()?.unwrap_or_default();
        sketch.merge(fresh);
        of_key!(sqlx::query(AssertSqlSafe(insert.clone())), key)
            .bind(sketch.events)
            .bind(sketch.users.to_bytes())
            .bind(sketch.addresses.to_bytes())
            .bind(sketch.durations.to_bytes())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The keys as columns, to which [`of_keys`] binds.
const KEYS: &str = "UNNEST($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
    $9::text[], $10::int[]";

/// A statement with a column of all keys bound to each of the first ten placeholders.
macro_rules! of_keys {
    ($query:expr, $sketches:ident) => {{
        macro_rules! column {
            ($key:ident => $value:expr) => {
                $sketches.keys().map(|$key| $value).collect::<Vec<_>>()
            };
        }
        $query
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
    }};
}

async fn add_postgres(
    tx: &mut Transaction<'_, Postgres>,
    sketches: &BTreeMap<Key<'_>, Sketch>,
) -> Result<(), DatabaseError> {
    let mut all: Vec<Sketch> = sketches.values().cloned().collect();
    for (place, before) in kept_postgres(tx, sketches).await? {
        if let Some(sketch) = all.get_mut(place) {
            sketch.merge(&before);
        }
    }
    let insert = format!(
        "INSERT INTO rollup_sketch ({KEY}, events, users, addresses, durations) \
        SELECT * FROM {KEYS}, $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[]) {UPSERT}"
    );
    let bytes = |of: fn(&Sketch) -> Vec<u8>| all.iter().map(of).collect::<Vec<_>>();
    of_keys!(sqlx::query(AssertSqlSafe(insert)), sketches)
        .bind(all.iter().map(|sketch| sketch.events).collect::<Vec<_>>())
        .bind(bytes(|sketch| sketch.users.to_bytes()))
        .bind(bytes(|sketch| sketch.addresses.to_bytes()))
        .bind(bytes(|sketch| sketch.durations.to_bytes()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Those that are kept, each with the place of its key among the others.
async fn kept_postgres(
    tx: &mut Transaction<'_, Postgres>,
    sketches: &BTreeMap<Key<'_>, Sketch>,
) -> Result<Vec<(usize, Sketch)>, DatabaseError> {
    #[derive(sqlx::FromRow)]
    struct KeptRow {
        place: i64,
        events: i64,
        users: Vec<u8>,
        addresses: Vec<u8>,
        durations: Vec<u8>,
    }
    let select = format!(
        "SELECT k.place, s.events, s.users, s.addresses, s.durations FROM {KEYS}) WITH ORDINALITY AS k ({KEY}, place) \
        JOIN rollup_sketch s USING ({KEY})"
    );
    let rows: Vec<KeptRow> = of_keys!(sqlx::query_as(AssertSqlSafe(select)), sketches)
        .fetch_all(&mut **tx)
        .await?;
    let kept = |row: KeptRow| {
        // Places count from 1 on.
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        Ok((
            place,
            read((row.events, row.users, row.addresses, row.durations))?,
        ))
    };
    rows.into_iter().map(kept).collect()
}
