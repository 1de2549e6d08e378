//! Where a count comes from: rows, or kept counts with the rows at their edges. Pure.

use shared::clock::UtcMicros;

use super::heavy;
use crate::search::{Detail, Dialect, Filter, Statement};

/// The widths of what is kept, in seconds.
pub(super) const MINUTE: i64 = 60;
pub(super) const TEN_MINUTES: i64 = 600;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;
pub(super) const WEEK: i64 = 604_800;

/// Those of counts and those of sketches, from the narrowest on, each a part of the next.
pub(super) const COUNTED: [i64; 4] = [MINUTE, TEN_MINUTES, HOUR, DAY];
pub(super) const SKETCHED: [i64; 4] = [TEN_MINUTES, HOUR, DAY, WEEK];

pub(super) const SECOND: i64 = 1_000_000;

/// What events are told apart by, of rows.
pub(crate) const TOLD_APART_BY: &str =
    "e.class, e.action, e.outcome, e.identity, e.service, e.reason, e.route, e.template, e.status";

/// The same of what is kept, which has empty values for those that an event has not.
pub(super) const KEPT: &str = "r.start AS time, k.class, k.action, k.outcome, k.identity, k.service, NULLIF(k.reason, '') AS reason, \
    NULLIF(k.route, '') AS route, NULLIF(k.template, '') AS template, NULLIF(k.status, 0) AS status";

/// Batches that are not in what is kept yet.
pub(super) const NEWEST: &str = "SELECT id FROM batch WHERE first_position IS NULL UNION ALL \
    SELECT id FROM batch WHERE first_position >= (SELECT position FROM rollup_state WHERE id = 1)";

/// The events that a filter meets, as a table `e`, and how its rows are counted.
pub(crate) struct Source {
    /// What stands behind `FROM`.
    pub(crate) from: String,
    /// How many events a row is.
    pub(crate) one: &'static str,
    /// How many events a group of rows is.
    pub(crate) events: &'static str,
}

/// Stretches of time that are counted in one way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pieces {
    /// From what is kept: their width in seconds, the first moment and the first after.
    kept: Vec<(i64, i64, i64)>,
    /// From rows.
    rows: Vec<(i64, i64)>,
}

impl Source {
    /// The rows themselves.
    pub(crate) fn rows() -> Self {
        Self {
            from: "event e".to_owned(),
            one: "1",
            events: "COUNT(*)",
        }
    }

    /// Kept counts if they can tell what is `needed`, else the rows. `divided` says into what the time is, in microseconds: where a stretch begins
    /// and how long each is.
    pub(crate) fn of(
        statement: &mut Statement,
        filter: &Filter,
        needed: Option<Detail>,
        divided: Option<(i64, i64)>,
    ) -> Self {
        if let Some((name, detail)) = needed.and_then(|needed| filter.named(needed)) {
            let kept = heavy::source(statement, filter, (&name, detail), divided);
            return kept.unwrap_or_else(Self::rows);
        }
        let is_whole = |width: &i64| {
            let whole = width * SECOND;
            divided.is_none_or(|(origin, width)| origin % whole == 0 && width % whole == 0)
        };
        let widths: Vec<_> = COUNTED.into_iter().take_while(is_whole).collect();
        let detail = needed.and_then(|needed| filter.detail(needed));
        let Some((detail, pieces)) = detail.zip(pieces(span(filter), &widths)) else {
            return Self::rows();
        };
        let condition = statement.filter(filter);
        let kept = pieces.kept("rollup", detail, "r.events");
        let rows = pieces.rows(
            &condition,
            statement.dialect(),
            &format!("e.time, {TOLD_APART_BY}, 1 AS events"),
        );
        Self {
            from: format!("({kept} UNION ALL {rows}) AS e"),
            one: "e.events",
            events: "CAST(COALESCE(SUM(e.events), 0) AS BIGINT)",
        }
    }
}

/// The events that a filter meets, as far as sketches of them are kept, and the rest of them as rows.
pub(crate) struct Sketched {
    pieces: Pieces,
    condition: String,
    dialect: Dialect,
}

impl Sketched {
    /// By what detail sketches can tell: the filter is about what they are kept by, and its period has ten whole minutes.
    pub(crate) fn detail(filter: &Filter, needed: Detail) -> Option<Detail> {
        pieces(span(filter), &SKETCHED).and_then(|_| filter.detail(needed))
    }

    /// Those of a filter; `None` if sketches cannot tell anything.
    pub(crate) fn of(statement: &mut Statement, filter: &Filter) -> Option<Self> {
        filter.detail(Detail::Brief)?;
        Some(Self {
            pieces: pieces(span(filter), &SKETCHED)?,
            condition: statement.filter(filter),
            dialect: statement.dialect(),
        })
    }

    /// What is kept by that detail, as a table `e` with a condition behind it: what events are told apart by, `events`, and columns of sketches.
    pub(crate) fn kept(&self, detail: Detail, columns: &[&str]) -> String {
        let columns: Vec<_> = ["events"]
            .iter()
            .chain(columns)
            .map(|column| format!("r.{column}"))
            .collect();
        let kept = self.pieces.kept("rollup_sketch", detail, &columns.join(", "));
        format!("({kept}) AS e WHERE {}", self.condition)
    }

    /// The rows that are in nothing of that, as a select: what events are told apart by, and other columns.
    pub(crate) fn rows(&self, others: &str) -> String {
        let columns = format!("{TOLD_APART_BY}, {others}");
        self.pieces.rows(&self.condition, self.dialect, &columns)
    }
}

/// Asks for the latest day from whose beginning to `end` at least so many events that meet a filter are counted, by days that are over then. None if counts
/// cannot tell.
pub(crate) fn latest_days(
    filter: &Filter,
    many: i64,
    end: Option<UtcMicros>,
    dialect: Dialect,
) -> Option<Statement> {
    let detail = filter.detail(Detail::Brief)?;
    let mut statement = Statement::new("", dialect);
    let condition = statement.filter(filter);
    let end = end.map_or(i64::MAX, |end| down(end.as_micros(), DAY));
    let days = Pieces {
        kept: vec![(DAY, i64::MIN, end)],
        rows: Vec::new(),
    };
    let kept = days.kept("rollup", detail, "r.events");
    statement.sql = format!(
        "WITH days AS (SELECT e.time AS start, SUM(e.events) AS events FROM ({kept}) AS e WHERE {condition} GROUP BY 1), \
        found AS (SELECT start, SUM(events) OVER (ORDER BY start DESC) AS events FROM days) \
        SELECT start FROM found WHERE events >= {many} ORDER BY start DESC LIMIT 1"
    );
    Some(statement)
}

/// The first moment of a filter's period and the first after, in microseconds.
pub(super) fn span(filter: &Filter) -> (i64, i64) {
    let period = filter.period();
    (
        period.from.map_or(i64::MIN, UtcMicros::as_micros),
        period.to.map_or(i64::MAX, UtcMicros::as_micros),
    )
}

/// Divides a time into what is kept by those widths and what is not; none if it has nothing whole.
fn pieces((first, end): (i64, i64), widths: &[i64]) -> Option<Pieces> {
    let finest = *widths.first()?;
    let (kept_first, kept_end) = (up(first, finest), down(end, finest));
    if kept_first >= kept_end {
        return None;
    }
    let mut pieces = Pieces::default();
    pieces.push_rows(first, kept_first);
    pieces.push_rows(kept_end, end);
    pieces.push_kept((kept_first, kept_end), widths);
    Some(pieces)
}

impl Pieces {
    fn push_rows(&mut self, first: i64, end: i64) {
        if first < end {
            self.rows.push((first, end));
        }
    }

    /// By the widest that fits, and what is left at both ends by narrower ones.
    fn push_kept(&mut self, (first, end): (i64, i64), widths: &[i64]) {
        let Some((widest, narrower)) = widths.split_last().filter(|_| first < end) else {
            return;
        };
        let (whole_first, whole_end) = (up(first, *widest), down(end, *widest));
        if whole_first >= whole_end {
            return self.push_kept((first, end), narrower);
        }
        self.push_kept((first, whole_first), narrower);
        self.kept.push((*widest, whole_first, whole_end));
        self.push_kept((whole_end, end), narrower);
    }

    /// What is kept in a table, as a select.
    fn kept(&self, table: &str, detail: Detail, columns: &str) -> String {
        let detail = detail.number();
        let kept = self.kept.iter().map(|(width, first, end)| {
            format!(
                "SELECT {KEPT}, {columns} FROM {table} r JOIN rollup_kind k ON k.id = r.kind AND k.detail = {detail} \
                WHERE r.detail = {detail} AND r.width = {width} AND r.start >= {first} AND r.start < {end}"
            )
        });
        kept.collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// The rows between what is kept and the ends of the period, and those that are in nothing that is kept yet, as a select.
    fn rows(&self, condition: &str, dialect: Dialect, columns: &str) -> String {
        let is_newest = dialect.one_of("e.batch_id", NEWEST);
        let edges = self.rows.iter().map(|(first, end)| {
            format!(
                "SELECT {columns} FROM event e \
                WHERE e.time >= {first} AND e.time < {end} AND NOT ({is_newest}) AND {condition}"
            )
        });
        let newest = format!("SELECT {columns} FROM event e WHERE {is_newest} AND {condition}");
        edges.chain([newest]).collect::<Vec<_>>().join(" UNION ALL ")
    }
}

/// The next whole width at or after a moment; that of the beginning of time is itself.
pub(super) fn up(moment: i64, seconds: i64) -> i64 {
    if moment == i64::MIN {
        return moment;
    }
    let width = seconds * SECOND;
    down(moment.saturating_add(width - 1), seconds)
}

/// The last whole width at or before a moment; that of the end of time is itself.
pub(super) fn down(moment: i64, seconds: i64) -> i64 {
    if moment == i64::MAX {
        return moment;
    }
    let width = seconds * SECOND;
    moment - moment.rem_euclid(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_by_the_widest_that_fits() {
        let at = |seconds: i64| seconds * SECOND;

        assert_eq!(
            pieces((at(30), at(3 * 3_600 + 90)), &COUNTED),
            Some(Pieces {
                kept: vec![
                    (MINUTE, at(60), at(600)),
                    (TEN_MINUTES, at(600), at(3_600)),
                    (HOUR, at(3_600), at(3 * 3_600)),
                    (MINUTE, at(3 * 3_600), at(3 * 3_600 + 60)),
                ],
                rows: vec![(at(30), at(60)), (at(3 * 3_600 + 60), at(3 * 3_600 + 90))],
            })
        );
        let day = |number: i64| at(number * DAY);
        assert_eq!(
            pieces((at(HOUR - 601), day(22)), &SKETCHED).unwrap(),
            Pieces {
                rows: vec![(at(HOUR - 601), at(HOUR - 600))],
                kept: vec![
                    (TEN_MINUTES, at(HOUR - 600), at(HOUR)),
                    (HOUR, at(HOUR), day(1)),
                    (DAY, day(1), day(7)),
                    (WEEK, day(7), day(21)),
                    (DAY, day(21), day(22)),
                ],
            }
        );
        assert_eq!(pieces((at(30), at(100)), &COUNTED), None);
        assert_eq!(
            pieces((i64::MIN, i64::MAX), &COUNTED[..3]),
            Some(Pieces {
                kept: vec![(HOUR, i64::MIN, i64::MAX)],
                rows: vec![],
            })
        );
    }

    proptest::proptest! {
        #[test]
        fn the_pieces_cover_a_time_without_overlapping(first in 0..100_000_i64, length in 0..2_000_000_i64, widths in 1..=4_usize) {
            let (first, end) = (first * 777_777, (first + length) * 777_777);
            if let Some(pieces) = pieces((first, end), &COUNTED[..widths]) {
                let kept = pieces.kept.iter().map(|(_, first, end)| (*first, *end));
                let mut all: Vec<_> = kept.chain(pieces.rows.iter().copied()).collect();
                all.sort_unstable();
                let mut at = first;
                for (first, end) in all {
                    proptest::prop_assert_eq!(first, at);
                    at = end;
                }
                proptest::prop_assert_eq!(at, end);
            }
        }
    }
}
