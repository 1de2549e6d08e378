//! Adds to the sketches: those that are kept are read, added to and written again, in the transaction that moves on.

use std::collections::BTreeSet;

use shared::database::{DatabaseError, SqliteTx, Tx};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Transaction};

use super::{Distinct, Frequent, Names, Sketch, Spread};
use crate::rollup::heavy::{EVENTS_MIN, NameDay};
use crate::rollup::source::DAY;
use crate::rollup::store::Key;
use crate::search::Name;

const KEY: &str = "detail, width, start, kind";

const VALUES: &str = "events, users, addresses, durations, frequent_users, frequent_addresses";

const UPSERT: &str = "ON CONFLICT (detail, width, start, kind) DO UPDATE SET events = excluded.events, users = excluded.users, \
    addresses = excluded.addresses, durations = excluded.durations, frequent_users = excluded.frequent_users, \
    frequent_addresses = excluded.frequent_addresses";

/// A sketch as it is stored.
#[derive(Debug, FromRow)]
struct Kept {
    events: i64,
    users: Vec<u8>,
    addresses: Vec<u8>,
    durations: Vec<u8>,
    frequent_users: Option<Vec<u8>>,
    frequent_addresses: Option<Vec<u8>>,
}

/// Adds to them; returns which names are heavy on the days that something was added to.
pub(in crate::rollup) async fn add(
    tx: &mut Tx<'_>,
    sketches: &[(Key, &Sketch)],
) -> Result<BTreeSet<NameDay>, DatabaseError> {
    let mut heavy = BTreeSet::new();
    match tx {
        Tx::Sqlite(tx) => add_sqlite(tx, sketches, &mut heavy).await?,
        Tx::Postgres(tx) => add_postgres(tx, sketches, &mut heavy).await?,
    }
    Ok(heavy)
}

/// Those of a sketch, if it is of a day.
fn heavy_of(key: &Key, sketch: &Sketch) -> impl Iterator<Item = NameDay> {
    // Nobody is heavy on the first day of 1970, which all before counts as.
    let names = sketch
        .names
        .as_ref()
        .filter(|_| i64::from(key.width) == DAY && key.start > 0);
    let names = names.into_iter().flat_map(|names| {
        let users = names.users.at_least(EVENTS_MIN).filter_map(Name::user);
        users.chain(names.addresses.at_least(EVENTS_MIN).filter_map(Name::address))
    });
    names.map(|name| (key.start, name))
}

impl Kept {
    fn of(sketch: &Sketch) -> Self {
        let names = sketch.names.as_ref();
        Self {
            events: sketch.events,
            users: sketch.users.to_bytes(),
            addresses: sketch.addresses.to_bytes(),
            durations: sketch.durations.to_bytes(),
            frequent_users: names.map(|names| names.users.to_bytes()),
            frequent_addresses: names.map(|names| names.addresses.to_bytes()),
        }
    }

    fn read(&self) -> Result<Sketch, DatabaseError> {
        let frequent = |bytes: &[u8]| {
            let mut frequent = Frequent::kept();
            frequent.merge_bytes(bytes).map(|()| frequent)
        };
        let names = |(users, addresses): (&Vec<u8>, &Vec<u8>)| {
            Some(Names {
                users: frequent(users)?,
                addresses: frequent(addresses)?,
            })
        };
        let stored = self.frequent_users.as_ref().zip(self.frequent_addresses.as_ref());
        let sketch = || {
            Some(Sketch {
                events: self.events,
                users: Distinct::from_bytes(&self.users)?,
                addresses: Distinct::from_bytes(&self.addresses)?,
                durations: Spread::from_bytes(&self.durations)?,
                names: match stored {
                    Some(stored) => Some(names(stored)?),
                    None => None,
                },
            })
        };
        sketch().ok_or_else(|| sqlx::Error::Decode("the bytes of a sketch are none".into()).into())
    }
}

async fn add_sqlite(
    tx: &mut SqliteTx,
    sketches: &[(Key, &Sketch)],
    heavy: &mut BTreeSet<NameDay>,
) -> Result<(), DatabaseError> {
    let select = format!("SELECT {VALUES} FROM rollup_sketch WHERE ({KEY}) = (?1, ?2, ?3, ?4)");
    let insert =
        format!("INSERT INTO rollup_sketch ({KEY}, {VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {UPSERT}");
    for (key, fresh) in sketches {
        // Texts of our own making.
        let kept: Option<Kept> = sqlx::query_as(AssertSqlSafe(select.clone()))
            .bind(key.detail)
            .bind(key.width)
            .bind(key.start)
            .bind(key.kind)
            .fetch_optional(&mut **tx)
            .await?;
        let kept = kept.as_ref().map(Kept::read).transpose()?;
        let sketch = merged(fresh, kept);
        heavy.extend(heavy_of(key, &sketch));
        let kept = Kept::of(&sketch);
        sqlx::query(AssertSqlSafe(insert.clone()))
            .bind(key.detail)
            .bind(key.width)
            .bind(key.start)
            .bind(key.kind)
            .bind(kept.events)
            .bind(kept.users)
            .bind(kept.addresses)
            .bind(kept.durations)
            .bind(kept.frequent_users)
            .bind(kept.frequent_addresses)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

fn merged(fresh: &Sketch, kept: Option<Sketch>) -> Sketch {
    let Some(mut kept) = kept else {
        return fresh.clone();
    };
    kept.merge(fresh);
    kept
}

/// Columns of keys as arrays, the first four placeholders of a statement.
#[derive(Debug, Default)]
struct Columns {
    details: Vec<i16>,
    widths: Vec<i32>,
    starts: Vec<i64>,
    kinds: Vec<i32>,
}

impl Columns {
    const SQL: &str = "UNNEST($1::smallint[], $2::int[], $3::bigint[], $4::int[]";

    fn of(sketches: &[(Key, &Sketch)]) -> Self {
        let mut columns = Self::default();
        for (key, _) in sketches {
            columns.details.push(key.detail);
            columns.widths.push(key.width);
            columns.starts.push(key.start);
            columns.kinds.push(key.kind);
        }
        columns
    }
}

async fn add_postgres(
    tx: &mut Transaction<'_, Postgres>,
    sketches: &[(Key, &Sketch)],
    heavy: &mut BTreeSet<NameDay>,
) -> Result<(), DatabaseError> {
    let columns = Columns::of(sketches);
    let mut before = kept_postgres(tx, &columns).await?;
    let mut all = Vec::with_capacity(sketches.len());
    for (place, (key, fresh)) in sketches.iter().enumerate() {
        let sketch = merged(fresh, before.get_mut(place).and_then(Option::take));
        heavy.extend(heavy_of(key, &sketch));
        all.push(Kept::of(&sketch));
    }
    let insert = format!(
        "INSERT INTO rollup_sketch ({KEY}, {VALUES}) SELECT * FROM {keys}, \
            $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[]) {UPSERT}",
        keys = Columns::SQL
    );
    /// One column of all sketches, as an array.
    macro_rules! column {
        ($name:ident) => {
            all.iter_mut()
                .map(|kept| std::mem::take(&mut kept.$name))
                .collect::<Vec<_>>()
        };
    }
    sqlx::query(AssertSqlSafe(insert))
        .bind(columns.details)
        .bind(columns.widths)
        .bind(columns.starts)
        .bind(columns.kinds)
        .bind(column!(events))
        .bind(column!(users))
        .bind(column!(addresses))
        .bind(column!(durations))
        .bind(column!(frequent_users))
        .bind(column!(frequent_addresses))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Those that are kept, each at the place of its key.
async fn kept_postgres(
    tx: &mut Transaction<'_, Postgres>,
    columns: &Columns,
) -> Result<Vec<Option<Sketch>>, DatabaseError> {
    #[derive(FromRow)]
    struct KeptRow {
        place: i64,
        #[sqlx(flatten)]
        kept: Kept,
    }
    let select = format!(
        "SELECT k.place, {VALUES} FROM {keys}) WITH ORDINALITY AS k ({KEY}, place) JOIN rollup_sketch s USING ({KEY})",
        keys = Columns::SQL
    );
    let rows: Vec<KeptRow> = sqlx::query_as(AssertSqlSafe(select))
        .bind(&columns.details)
        .bind(&columns.widths)
        .bind(&columns.starts)
        .bind(&columns.kinds)
        .fetch_all(&mut **tx)
        .await?;
    let mut all: Vec<Option<Sketch>> = columns.kinds.iter().map(|_| None).collect();
    for row in rows {
        // Places count from 1 on.
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        if let Some(kept) = all.get_mut(place) {
            *kept = Some(row.kept.read()?);
        }
    }
    Ok(all)
}
