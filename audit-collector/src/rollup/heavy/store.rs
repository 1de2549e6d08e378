//! Adds to the counts by name, and forgets them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};
use shared::event::Class;
use sqlx::{AssertSqlSafe, FromRow};

use crate::rollup::kind::{Kind, Kinds, Place, short};
use crate::rollup::pending::{Added, start};
use crate::rollup::source::{DAY, HOUR, SECOND, TOLD_APART_BY};
use crate::rollup::store::number;
use crate::search::{Detail, Dialect, Name, Statement, Value, bound};

/// Names that become heavy in one transaction at most: the rows of each are counted.
const NEW_MAX: usize = 32;

/// A day of a name, by when it begins.
pub(in crate::rollup) type NameDay = (i64, Name);

/// Where a count is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    heavy: i32,
    width: i64,
    start: i64,
    kind: Place,
}

/// What is to be added to the counts.
#[derive(Debug, Default)]
struct Counts(BTreeMap<Cell, i64>);

impl Counts {
    /// Adds events of an hour and a kind: by hour in brief, by day in full.
    fn add(&mut self, kinds: &Kinds, (heavy, hour, kind): (i32, i64, Place), events: i64) {
        for (width, kind) in [(HOUR, kinds.brief(kind)), (DAY, kind)] {
            let start = start(hour, width);
            *self
                .0
                .entry(Cell {
                    heavy,
                    width,
                    start,
                    kind,
                })
                .or_default() += events;
        }
    }
}

/// Adds what happened to names that are kept, and begins to keep some of those that are `heavy` now: all of their events before the
/// position `after`, which are those that are counted with this transaction.
pub(in crate::rollup) async fn add(
    tx: &mut Tx<'_>,
    (added, kinds): (&Added, &mut Kinds),
    mut heavy: BTreeSet<NameDay>,
    after: u64,
) -> Result<(), DatabaseError> {
    let mut counts = Counts::default();
    for (id, (day, name)) in kept(tx, added.days()).await? {
        for (hour, kind) in added.by_name.of(&name) {
            if start(*hour, DAY) == day {
                counts.add(kinds, (id, *hour, *kind), 1);
            }
        }
        heavy.remove(&(day, name));
    }
    for (day, name) in heavy.into_iter().take(NEW_MAX) {
        let insert = "INSERT INTO rollup_heavy (field, name, day) VALUES ($1, $2, $3) RETURNING id";
        let (id,): (i32,) = fetch!(
            fetch_one,
            &mut *tx,
            sqlx::query_as(insert)
                .bind(name.field())
                .bind(name.bytes())
                .bind(day)
        )?;
        for row in rows(tx, (day, &name), after).await? {
            let kind = kinds.place(row.kind());
            counts.add(kinds, (id, row.hour, kind), row.events);
        }
    }
    number(tx, kinds).await?;
    insert(tx, &counts, kinds).await
}

/// Names that are kept of those days, with their numbers.
async fn kept(tx: &mut Tx<'_>, days: BTreeSet<i64>) -> Result<Vec<(i32, NameDay)>, DatabaseError> {
    let mut all = Vec::new();
    for day in days {
        let select = "SELECT id, field, name FROM rollup_heavy WHERE day = $1";
        let found: Vec<(i32, i16, Vec<u8>)> = fetch!(fetch_all, &mut *tx, sqlx::query_as(select).bind(day))?;
        let named = found
            .into_iter()
            .filter_map(|(id, field, name)| Some((id, (day, Name::stored(field, &name)?))));
        all.extend(named);
    }
    Ok(all)
}

/// Events of a name in one hour that are of one kind.
#[derive(Debug, FromRow)]
struct KindRow {
    hour: i64,
    class: String,
    action: String,
    outcome: String,
    identity: String,
    service: String,
    reason: Option<String>,
    route: Option<String>,
    template: Option<String>,
    status: Option<i32>,
    events: i64,
}

impl KindRow {
    fn kind(&self) -> Kind<'_> {
        fn text(text: Option<&str>) -> Cow<'_, str> {
            short(text.unwrap_or_default())
        }
        Kind {
            detail: Detail::Full,
            class: Cow::Borrowed(&self.class),
            action: short(&self.action),
            outcome: Cow::Borrowed(&self.outcome),
            identity: Cow::Borrowed(&self.identity),
            service: Cow::Borrowed(&self.service),
            reason: text(self.reason.as_deref()),
            route: text(self.route.as_deref()),
            template: text(self.template.as_deref()),
            status: self.status.unwrap_or(0),
        }
    }
}

/// All that a name has on a day, as far as it is before a position.
async fn rows(tx: &mut Tx<'_>, (day, name): (i64, &Name), after: u64) -> Result<Vec<KindRow>, DatabaseError> {
    let mut statement = Statement::new("", Dialect::of_tx(tx));
    let condition = match name {
        Name::User(user) => {
            let user = statement.placeholder(Value::Text(user.clone()));
            format!("(e.username = {user} OR e.sub = {user})")
        }
        Name::Address(address) => {
            format!("e.ip = {}", statement.placeholder(Value::Bytes(address.to_vec())))
        }
    };
    statement.sql = format!(
        "SELECT e.time / {hour} * {hour} AS hour, {TOLD_APART_BY}, COUNT(*) AS events FROM event e JOIN batch b ON b.id = e.batch_id \
        WHERE {condition} AND e.time >= {day} AND e.time < {end} AND b.first_position + e.ordinal < {after} \
        GROUP BY 1, {TOLD_APART_BY}",
        hour = HOUR * SECOND,
        end = day + DAY * SECOND,
    );
    fetch!(fetch_all, &mut *tx, bound!(KindRow, statement))
}

async fn insert(tx: &mut Tx<'_>, counts: &Counts, kinds: &Kinds) -> Result<(), DatabaseError> {
    const COLUMNS: &str = "heavy, width, start, kind, events";
    const ADD: &str = "ON CONFLICT (heavy, width, start, kind) DO UPDATE SET events = rollup_heavy_count.events + excluded.events";
    let known = counts.0.iter().filter_map(|(cell, events)| {
        let (kind, width) = (kinds.id(cell.kind)?, i32::try_from(cell.width).ok()?);
        Some((cell.heavy, width, cell.start, kind, *events))
    });
    match tx {
        Tx::Sqlite(tx) => {
            let insert = format!("INSERT INTO rollup_heavy_count ({COLUMNS}) VALUES (?, ?, ?, ?, ?) {ADD}");
            for (heavy, width, start, kind, events) in known {
                // A text of our own making.
                let query = sqlx::query(AssertSqlSafe(insert.clone()));
                let query = query.bind(heavy).bind(width).bind(start).bind(kind).bind(events);
                query.execute(&mut **tx).await?;
            }
        }
        Tx::Postgres(tx) => {
            let insert = format!(
                "INSERT INTO rollup_heavy_count ({COLUMNS}) SELECT * FROM \
                UNNEST($1::int[], $2::int[], $3::bigint[], $4::int[], $5::bigint[]) {ADD}"
            );
            let (mut names, mut widths, mut starts) = (Vec::new(), Vec::new(), Vec::new());
            let (mut ids, mut numbers) = (Vec::new(), Vec::new());
            for (heavy, width, start, kind, events) in known {
                names.push(heavy);
                widths.push(width);
                starts.push(start);
                ids.push(kind);
                numbers.push(events);
            }
            let query = sqlx::query(AssertSqlSafe(insert))
                .bind(names)
                .bind(widths)
                .bind(starts);
            query.bind(ids).bind(numbers).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Forgets the days before `before` of names that had events of that class on them: retention removes those, and what is left is few rows.
pub(in crate::rollup) async fn forget(
    tx: &mut Tx<'_>,
    class: Class,
    before: UtcMicros,
) -> Result<(), DatabaseError> {
    let last = before.as_micros() - DAY * SECOND;
    // Whoever adds to counts waits.
    execute!(
        tx,
        sqlx::query("UPDATE rollup_state SET position = position WHERE id = 1")
    )?;
    let counts = "DELETE FROM rollup_heavy_count WHERE heavy IN (SELECT h.id FROM rollup_heavy h WHERE h.day <= $1 AND EXISTS \
        (SELECT 1 FROM rollup_heavy_count c JOIN rollup_kind k ON k.id = c.kind WHERE c.heavy = h.id AND k.class = $2))";
    execute!(tx, sqlx::query(counts).bind(last).bind(class.as_str()))?;
    let names = "DELETE FROM rollup_heavy WHERE day <= $1 \
        AND NOT EXISTS (SELECT 1 FROM rollup_heavy_count c WHERE c.heavy = rollup_heavy.id)";
    execute!(tx, sqlx::query(names).bind(last))?;
    Ok(())
}
