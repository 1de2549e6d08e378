//! Where the events of one user or address are counted: from what is kept of the days on which it was heavy, and from rows. Pure.

use crate::rollup::source::{DAY, HOUR, KEPT, NEWEST, SECOND, Source, TOLD_APART_BY, down, span, up};
use crate::search::{Detail, Filter, Name, Statement, Value};

const DAY_MICROS: i64 = DAY * SECOND;

/// The events that a filter for a name meets, told apart by that detail; none if nothing that is kept can be of use. `divided` says into
/// what the time is, in microseconds: where a stretch begins and how long each is.
pub(in crate::rollup) fn source(
    statement: &mut Statement,
    filter: &Filter,
    (name, detail): (&Name, Detail),
    divided: Option<(i64, i64)>,
) -> Option<Source> {
    let width = match detail {
        Detail::Brief => HOUR,
        Detail::Full => DAY,
    };
    let whole = width * SECOND;
    divided
        .is_none_or(|(origin, width)| origin % whole == 0 && width % whole == 0)
        .then_some(())?;
    let (first, end) = span(filter);
    // Nobody is heavy before the second day of 1970.
    let (kept_first, kept_end) = (up(first, width).max(DAY_MICROS), down(end, width));
    (kept_first < kept_end).then_some(())?;

    let dialect = statement.dialect();
    let condition = statement.filter(filter);
    let named = named(statement, name);
    let value = statement.placeholder(Value::Bytes(name.bytes().to_vec()));
    let is_newest = dialect.one_of("e.batch_id", NEWEST);
    let columns = format!("e.time, {TOLD_APART_BY}, e.username, e.sub, e.ip, 1 AS events");
    let rows = dialect.for_each(
        "gaps",
        &columns,
        &format!("e.time >= gaps.first AND e.time < gaps.until AND NOT ({is_newest}) AND {condition}"),
    );
    Some(Source {
        from: format!(
            "(WITH days AS (SELECT id, day FROM rollup_heavy \
                WHERE field = {field} AND name = {value} AND day > {kept_first} - {DAY_MICROS} AND day < {kept_end}), \
            gaps AS ({gaps}) \
            SELECT {KEPT}, {named}, r.events FROM days d \
                JOIN rollup_heavy_count r ON r.heavy = d.id AND r.width = {width} AND r.start >= {kept_first} AND r.start < {kept_end} \
                JOIN rollup_kind k ON k.id = r.kind \
            UNION ALL {rows} \
            UNION ALL SELECT {columns} FROM event e WHERE {is_newest} AND {condition}) AS e",
            field = name.field(),
            gaps = gaps((first, end), (kept_first, kept_end)),
        ),
        one: "e.events",
        events: "CAST(COALESCE(SUM(e.events), 0) AS BIGINT)",
    })
}

/// The columns of a name, where nothing but the name is known of an event.
fn named(statement: &mut Statement, name: &Name) -> String {
    let (user, address) = match name {
        Name::User(user) => {
            let user = statement.placeholder(Value::Text(user.clone()));
            (user, statement.dialect().no_bytes().to_owned())
        }
        Name::Address(address) => {
            let address = statement.placeholder(Value::Bytes(address.to_vec()));
            ("CAST(NULL AS TEXT)".to_owned(), address)
        }
    };
    format!("{user} AS username, CAST(NULL AS TEXT) AS sub, {address} AS ip")
}

/// Selects the stretches of a period that are on none of `days`: those between them, and what lies before and after what is kept.
fn gaps((first, end): (i64, i64), (kept_first, kept_end): (i64, i64)) -> String {
    let between = format!(
        "SELECT first, until FROM (SELECT day + {DAY_MICROS} AS first, LEAD(day, 1, CAST({kept_end} AS BIGINT)) OVER (ORDER BY day) AS until \
        FROM (SELECT day FROM days UNION ALL SELECT {kept_first} - {DAY_MICROS}) AS ends) AS between_days WHERE first < until"
    );
    // The first moment of all has no number that PostgreSQL reads as one.
    let edges = [(first.max(i64::MIN + 1), kept_first), (kept_end, end)];
    let edges = edges.into_iter().filter(|(first, end)| first < end);
    let edges = edges.map(|(first, end)| format!("SELECT CAST({first} AS BIGINT), CAST({end} AS BIGINT)"));
    std::iter::once(between)
        .chain(edges)
        .collect::<Vec<_>>()
        .join(" UNION ALL ")
}
