//! Where a count comes from: rows, or kept counts with the rows at their edges. Pure.

use shared::clock::UtcMicros;

use crate::search::{Dialect, Filter, Statement};

/// The widths of the counts that are kept, in seconds.
pub(super) const WIDTHS: [i64; 2] = [MINUTE, HOUR];

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const SECOND: i64 = 1_000_000;

const COLUMNS: &str = "e.class, e.action, e.outcome, e.reason, e.service, e.route, e.template, e.status";

/// Batches that are not in the kept counts yet.
const NEWEST: &str = "SELECT id FROM batch WHERE first_position IS NULL UNION ALL \
    SELECT id FROM batch WHERE first_position >= (SELECT position FROM rollup_state WHERE id = 1)";

/// The events that a filter meets, as a table `e`, and how its rows are counted.
pub(crate) struct Source {
    /// What stands behind `FROM`.
    pub(crate) from: String,
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
        let period = filter.period();
        let first = period.from.map_or(i64::MIN, UtcMicros::as_micros);
        let end = period.to.map_or(i64::MAX, UtcMicros::as_micros);
        let Some(pieces) = pieces(first, end, is_whole(HOUR)) else {
            return Self::rows();
        };
        Self {
            from: pieces.sql(&statement.filter(filter), statement.dialect()),
            events: "CAST(COALESCE(SUM(e.events), 0) AS BIGINT)",
        }
    }
}

/// Divides a time; none if it has no whole minute.
fn pieces(first: i64, end: i64, hours: bool) -> Option<Pieces> {
    let mut pieces = Pieces::default();
    let (minutes_first, minutes_end) = (up(first, MINUTE), down(end, MINUTE));
    if minutes_first >= minutes_end {
        return None;
    }
    pieces.push_rows(first, minutes_first);
    pieces.push_rows(minutes_end, end);
    let (hours_first, hours_end) = (up(first, HOUR), down(end, HOUR));
    if hours && hours_first < hours_end {
        pieces.push_kept(MINUTE, minutes_first, hours_first);
        pieces.push_kept(HOUR, hours_first, hours_end);
        pieces.push_kept(MINUTE, hours_end, minutes_end);
    } else {
        pieces.push_kept(MINUTE, minutes_first, minutes_end);
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
                "SELECT start AS time, class, action, outcome, NULLIF(reason, '') AS reason, service, NULLIF(route, '') AS route, \
                NULLIF(template, '') AS template, NULLIF(status, 0) AS status, events FROM rollup \
                WHERE width = {width} AND start >= {first} AND start < {end}"
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
            pieces(at(30), at(3 * 3_600 + 90), true),
            Some(Pieces {
                kept: vec![
                    (MINUTE, at(60), at(3_600)),
                    (HOUR, at(3_600), at(3 * 3_600)),
                    (MINUTE, at(3 * 3_600), at(3 * 3_600 + 60)),
                ],
                rows: vec![(at(30), at(60)), (at(3 * 3_600 + 60), at(3 * 3_600 + 90))],
            })
        );
        assert_eq!(pieces(at(30), at(100), true), None);
        assert_eq!(
            pieces(i64::MIN, i64::MAX, true),
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
            if let Some(pieces) = pieces(first, end, hours) {
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
