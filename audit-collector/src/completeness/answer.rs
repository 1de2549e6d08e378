//! Whether a period is complete, and if not, what is missing of whom. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use shared::clock::UtcMicros;
use shared::event::Source;
use uuid::Uuid;

use super::numbers::Gap;
use super::source::{Record, Standing};
use crate::search::Period;

/// Findings in an answer at most; of more, the number is.
const FINDINGS_MAX: usize = 200;

/// How long a source that fell silent and never came back casts doubt on what follows. A service that has been cut off for
/// so long would have refused everything for as long, since it hears of no revocation either.
const DOUBT: Duration = Duration::from_hours(24);

/// What is known of the completeness of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Its first moment, if it has one.
    pub from: Option<UtcMicros>,
    /// The first moment after it; without one, it reaches as far as can be known.
    pub to: Option<UtcMicros>,
    /// What is known of it.
    pub verdict: Verdict,
    /// Whether it is complete, for programs that ask no more.
    pub complete: bool,
    /// The moment up to which it can be known; null while every source has ended.
    pub known_until: Option<UtcMicros>,
    /// What is wrong, at most 200 of them.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub findings_total: usize,
    /// Numbers that are missing.
    pub missing: u64,
    /// All sources that were ever heard, whenever.
    pub sources: SourceCounts,
    /// Events in the log that were not counted yet.
    pub lag: u64,
}

/// What is known of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is missing, and all of the period can be known.
    Complete,
    /// Something is missing, or not all of the period can be known yet.
    Incomplete,
    /// No source had said a word before it ended, so that nothing vouches for anything.
    Unknown,
}

/// Sources by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceCounts {
    /// They speak.
    pub live: i64,
    /// They said that they end.
    pub ended: i64,
    /// They fell silent without a word.
    pub silent: i64,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers are missing.
    Gap,
    /// The source said nothing any more at some moment, and nothing since.
    Silent,
    /// The source was started anew without having said that it ends: what followed its last number is unknown.
    TailUnknown,
    /// Stored events are not as the source hashed them.
    Altered,
    /// Events have numbers that others had before.
    NumberReused,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// The service.
    pub service: String,
    /// Its instance.
    pub instance: String,
    /// The boot of that instance.
    pub boot: Uuid,
    /// The first number that it is about.
    pub first: Option<u64>,
    /// The last; of a tail, the last that is known.
    pub last: Option<u64>,
    /// How many numbers.
    pub count: Option<u64>,
    /// It lies after that moment.
    pub after: Option<UtcMicros>,
    /// It lies before that moment.
    pub before: Option<UtcMicros>,
}

/// A source as it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) source: Source,
    pub(super) record: Record,
    /// When the same instance was started next.
    pub(super) next_boot: Option<UtcMicros>,
}

/// By service and standing: sources, their gaps and missing numbers.
#[derive(Debug, Default)]
pub(super) struct Standings(pub(super) BTreeMap<(String, String), (i64, i64, i64)>);

/// What is looked at.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) kept: &'a [Kept],
    pub(super) standings: &'a Standings,
    /// Whether any source was heard before the period ended.
    pub(super) is_heard: bool,
    pub(super) lag: u64,
    /// Gaps that were noticed after this moment may still be on their way.
    pub(super) settled_before: UtcMicros,
}

impl Standings {
    fn counts(&self) -> SourceCounts {
        let mut counts = SourceCounts::default();
        for ((_, standing), (sources, _, _)) in &self.0 {
            match standing.as_str() {
                "live" => counts.live += sources,
                "ended" => counts.ended += sources,
                _ => counts.silent += sources,
            }
        }
        counts
    }
}

impl Completeness {
    /// What `evidence` says about `period`.
    pub(super) fn of(period: &Period, evidence: &Evidence<'_>) -> Self {
        let mut findings = Vec::new();
        let mut known_until: Option<UtcMicros> = None;
        for kept in evidence.kept {
            findings.extend(kept.findings(period, evidence.settled_before));
            let until = kept.known_until(evidence.settled_before);
            known_until = match (known_until, until) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        let findings_total = findings.len();
        let missing = findings
            .iter()
            .filter(|finding| finding.kind == Kind::Gap)
            .filter_map(|finding| finding.count)
            .fold(0_u64, u64::saturating_add);
        findings.truncate(FINDINGS_MAX);
        let reaches = match (period.to, known_until) {
            (Some(to), Some(until)) => to <= until,
            (None, _) | (_, None) => true,
        };
        let verdict = match (evidence.is_heard, findings_total == 0 && reaches) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Complete,
            (true, false) => Verdict::Incomplete,
        };
        // What was not counted may hold anything; only a few events on their way are no reason to doubt what is past.
        Self {
            from: period.from,
            to: period.to,
            verdict,
            complete: verdict == Verdict::Complete,
            known_until,
            findings,
            findings_total,
            missing,
            sources: evidence.standings.counts(),
            lag: evidence.lag,
        }
    }
}

impl Kept {
    fn finding(&self, kind: Kind) -> Finding {
        Finding {
            kind,
            service: self.source.service.clone(),
            instance: self.source.instance.clone(),
            boot: self.source.boot,
            first: None,
            last: None,
            count: None,
            after: None,
            before: None,
        }
    }

    fn findings(&self, period: &Period, settled_before: UtcMicros) -> Vec<Finding> {
        let record = &self.record;
        let mut findings = Vec::new();
        for gap in record.numbers.gaps() {
            // A source began at most this long before it was first heard.
            let after = gap.after.unwrap_or_else(|| record.first_time.minus(DOUBT));
            if gap.noticed_at <= settled_before && overlaps(period, after, Some(gap.before)) {
                findings.push(self.gap(&gap));
            }
        }
        let lived = overlaps(period, record.first_time, Some(record.last_time));
        if lived {
            let altered = record.altered.iter().map(|numbers| Finding {
                first: Some(numbers.first),
                last: Some(numbers.last),
                ..self.finding(Kind::Altered)
            });
            findings.extend(altered);
            if record.reused > 0 {
                findings.push(Finding {
                    count: Some(record.reused),
                    ..self.finding(Kind::NumberReused)
                });
            }
        }
        findings.extend(self.tail(period));
        findings
    }

    fn gap(&self, gap: &Gap) -> Finding {
        Finding {
            first: Some(gap.numbers.first),
            last: Some(gap.numbers.last),
            count: Some(gap.missing),
            after: gap.after,
            before: Some(gap.before),
            ..self.finding(Kind::Gap)
        }
    }

    /// What is unknown after the last word of a source that did not say that it ends.
    fn tail(&self, period: &Period) -> Option<Finding> {
        if self.record.standing() != Standing::Silent {
            return None;
        }
        let after = self.record.last_time;
        let until = self.next_boot.unwrap_or_else(|| after.plus(DOUBT));
        let kind = if self.next_boot.is_some() {
            Kind::TailUnknown
        } else {
            Kind::Silent
        };
        overlaps(period, after, Some(until)).then(|| Finding {
            last: Some(self.record.numbers.last()),
            after: Some(after),
            before: self.next_boot,
            ..self.finding(kind)
        })
    }

    /// The moment up to which it can be known what the source did.
    fn known_until(&self, settled_before: UtcMicros) -> Option<UtcMicros> {
        let fresh = self
            .record
            .numbers
            .gaps()
            .find(|gap| gap.noticed_at > settled_before);
        match fresh {
            Some(gap) => Some(gap.after.unwrap_or(self.record.first_time)),
            None if self.record.standing() == Standing::Live => Some(self.record.last_time),
            None => None,
        }
    }
}

/// Whether something between those moments may belong to the period.
fn overlaps(period: &Period, after: UtcMicros, before: Option<UtcMicros>) -> bool {
    period.to.is_none_or(|to| after < to)
        && period
            .from
            .is_none_or(|from| before.is_none_or(|before| before >= from))
}
