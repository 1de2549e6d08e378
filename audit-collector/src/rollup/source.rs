//! Where a count comes from: rows, or kept counts with the rows at their edges. Pure.

use shared::clock::UtcMicros;

use crate::search::{Dialect, Filter, Statement};

/// The widths of what is kept, in seconds: counts by minute and hour, sketches by hour and day.
pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

const SECOND: i64 = 1_000_000;

const COLUMNS: &str = "e.class, e.action, e.outcome, e.reason, e.service, e.route, e.template, e.status";

/// The same of what is kept, which has empty values for those that an event has not.
const KEPT: &str = "start AS time, class, action, outcome, NULLIF(reason, '') AS reason, service, NULLIF(route, '') AS route, \
    NULLIF(template, '') AS template, NULLIF(status, 0) AS status";

/// Batches that are not in the kept counts yet.
const NEWEST: &str = "SELECT id FROM batch WHERE first_position IS NULL UNION ALL \
    SELECT id FROM batch WHERE first_position >= (SELECT position FROM rollup_state WHERE id = 1)";

/// Batches that are not in the sketches yet.
const NEWEST_SKETCHED: &str = "SELECT id FROM batch WHERE first_position IS NULL UNION ALL \
    SELECT id FROM batch WHERE first_position >= (SELECT sketched FROM rollup_state WHERE id = 1)";

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
    /// From kept counts: their width in seconds, the first moment and the first after.
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

    /// Kept counts if they can tell, else the rows. `width` is into what the time is divided, in microseconds from `origin` on.
    pub(crate) fn of(statement: &mut Statement, filter: &Filter, divided: Option<(i64, i64)>) -> Self {
        let is_whole = |width: i64| {
            let whole = width * SECOND;
            divided.is_none_or(|(origin, width)| origin % whole == 0 && width % whole == 0)
        };
        if !filter.is_kept() || !is_whole(MINUTE) {
            return Self::rows();
        }
        let coarse = is_whole(HOUR).then_some(HOUR);
        let Some(pieces) = pieces(span(filter), MINUTE, coarse) else {
            return Self::rows();
        };
        Self {
            from: pieces.sql(&statement.filter(filter), statement.dialect()),
            one: "e.events",
            events: "CAST(COALESCE(SUM(e.events), 0) AS BIGINT)",
        }
    }
}

/// The events that a filter meets, as far as sketches of them are kept, and the rest of them as rows: two tables `e`.
pub(crate) struct Sketched {
    /// Columns of a row, `events`, and the sketches `users`, `addresses` and `durations`.
    pub(crate) kept: String,
    /// Rows of the table `event`.
    pub(crate) rows: String,
}

impl Sketched {
    /// Whether sketches can tell: the filter is about what they are kept by, and its period has a whole hour.
    pub(crate) fn can(filter: &Filter) -> bool {
        filter.is_kept() && pieces(span(filter), HOUR, Some(DAY)).is_some()
    }

    /// Both tables; `None` if sketches cannot tell.
    pub(crate) fn of(statement: &mut Statement, filter: &Filter) -> Option<Self> {
        let pieces = pieces(span(filter), HOUR, Some(DAY)).filter(|_| filter.is_kept())?;
        let condition = statement.filter(filter);
        let is_newest = statement.dialect().one_of("e.batch_id", NEWEST_SKETCHED);
        let kept = pieces.kept.iter().map(|(width, first, end)| {
            format!(
                "SELECT {KEPT}, events, users, addresses, durations FROM rollup_sketch \
                WHERE width = {width} AND start >= {first} AND start < {end}"
            )
        });
        let rows = pieces.rows.iter().map(|(first, end)| {
            format!(
                "SELECT e.* FROM event e \
                WHERE e.time >= {first} AND e.time < {end} AND NOT ({is_newest}) AND {condition}"
            )
        });
        let newest = format!("SELECT e.* FROM event e WHERE {is_newest} AND {condition}");
        let table = |parts: Vec<String>| format!("({}) AS e", parts.join(" UNION ALL "));
        Some(Self {
            kept: format!("{} WHERE {condition}", table(kept.collect())),
            rows: table(rows.chain([newest]).collect()),
        })
    }
}

/// The first moment of a filter's period and the first after, in microseconds.
fn span(filter: &Filter) -> (i64, i64) {
    let period = filter.period();
    (
        period.from.map_or(i64::MIN, UtcMicros::as_micros),
        period.to.map_or(i64::MAX, UtcMicros::as_micros),
    )
}

/// Divides a time into what is kept by `fine` and by `coarse` seconds and what is not; none if it has nothing whole.
fn pieces((first, end): (i64, i64), fine: i64, coarse: Option<i64>) -> Option<Pieces> {
    let mut pieces = Pieces::default();
    let (fine_first, fine_end) = (up(first, fine), down(end, fine));
    if fine_first >= fine_end {
        return None;
    }
    pieces.push_rows(first, fine_first);
    pieces.push_rows(fine_end, end);
    let whole = coarse.map(|coarse| (coarse, up(first, coarse), down(end, coarse)));
    match whole.filter(|(_, first, end)| first < end) {
        Some((coarse, coarse_first, coarse_end)) => {
            pieces.push_kept(fine, fine_first, coarse_first);
            pieces.push_kept(coarse, coarse_first, coarse_end);
            pieces.push_kept(fine, coarse_end, fine_end);
        }
        None => pieces.push_kept(fine, fine_first, fine_end),
    }
    Some(pieces)
}

impl Pieces {
    fn push_rows(&mut self, first: i64, end: i64) {
        if first < end {
            self.rows.push((first, end));
        }
    }

    fn push_kept(&mut self, width: i64, first: i64, end: i64) {
        if first < end {
            self.kept.push((width, first, end));
        }
    }

    /// Counts, the rows between which and the ends of the period they cannot tell, and the rows that are not in them yet.
    fn sql(&self, condition: &str, dialect: Dialect) -> String {
        let is_newest = dialect.one_of("e.batch_id", NEWEST);
        let kept = self.kept.iter().map(|(width, first, end)| {
            format!(
                "SELECT {KEPT}, events FROM rollup WHERE width = {width} AND start >= {first} AND start < {end}"
            )
        });
        let rows = self.rows.iter().map(|(first, end)| {
            format!(
                "SELECT e.time, {COLUMNS}, 1 AS events FROM event e \
                WHERE e.time >= {first} AND e.time < {end} AND NOT ({is_newest}) AND {condition}"
            )
        });
        let newest =
            format!("SELECT e.time, {COLUMNS}, 1 AS events FROM event e WHERE {is_newest} AND {condition}");
        let all: Vec<_> = kept.chain(rows).chain([newest]).collect();
        format!("({}) AS e", all.join(" UNION ALL "))
    }
}

/// The next whole width at or after a moment; that of the beginning of time is itself.
fn up(moment: i64, seconds: i64) -> i64 {
    if moment == i64::MIN {
        return moment;
    }
    let width = seconds * SECOND;
    down(moment.saturating_add(width - 1), seconds)
}

/// The last whole width at or before a moment; that of the end of time is itself.
fn down(moment: i64, seconds: i64) -> i64 {
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
    fn a_time_is_hours_then_minutes_then_rows() {
        let at = |seconds: i64| seconds * SECOND;

        assert_eq!(
            pieces((at(30), at(3 * 3_600 + 90)), MINUTE, Some(HOUR)),
            Some(Pieces {
                kept: vec![
                    (MINUTE, at(60), at(3_600)),
                    (HOUR, at(3_600), at(3 * 3_600)),
                    (MINUTE, at(3 * 3_600), at(3 * 3_600 + 60)),
                ],
                rows: vec![(at(30), at(60)), (at(3 * 3_600 + 60), at(3 * 3_600 + 90))],
            })
        );
        assert_eq!(pieces((at(30), at(100)), MINUTE, Some(HOUR)), None);
        assert_eq!(
            pieces((i64::MIN, i64::MAX), MINUTE, Some(HOUR)),
            Some(Pieces {
                kept: vec![(HOUR, i64::MIN, i64::MAX)],
                rows: vec![],
            })
        );
    }

    proptest::proptest! {
        #[test]
        fn the_pieces_cover_a_time_without_overlapping(first in 0..100_000_i64, length in 0..100_000_i64, hours: bool) {
            let (first, end) = (first * 777_777, (first + length) * 777_777);
            let coarse = hours.then_some(HOUR);
            if let Some(pieces) = pieces((first, end), MINUTE, coarse) {
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
