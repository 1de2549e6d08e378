//! What is told as an event of its own. Pure: the same finding is the same event, whoever tells it.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::json;
use shared::clock::UtcMicros;
use shared::event::{Class, Draft, Facts, Outcome, Source, action, stable_event_id};

use super::numbers::Stretch;

/// Sources in a statement at most; it stays far below what an event may have.
const SOURCES_MAX: usize = 200;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Numbers are missing.
    Gap {
        source: Source,
        numbers: Stretch,
        missing: u64,
        gaps: usize,
        noticed_at: UtcMicros,
    },
    /// They are all there.
    GapClosed {
        source: Source,
        numbers: Stretch,
        time: UtcMicros,
    },
    /// A source fell silent.
    Silent {
        source: Source,
        since: UtcMicros,
        last: u64,
        time: UtcMicros,
    },
    /// It speaks again.
    Back {
        source: Source,
        since: UtcMicros,
        last: u64,
        time: UtcMicros,
    },
    /// What came in a stretch of the log.
    Statement(Statement),
}

/// What came in a stretch of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// The first position.
    pub(super) from: u64,
    /// The first position after.
    pub(super) to: u64,
    /// When it ended.
    pub(super) time: UtcMicros,
    /// What came from whom, ordered by source.
    pub(super) sources: Vec<SourceStatement>,
}

/// What came from one source, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SourceStatement {
    pub(super) source: String,
    pub(super) standing: &'static str,
    pub(super) events: u64,
    pub(super) dead_letters: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) complete_to: u64,
    pub(super) missing: u64,
    pub(super) altered: u64,
}

impl Notice {
    /// As an event. A gap is one when it has been open for `gap_after`.
    pub(super) fn draft(self, gap_after: Duration) -> Draft {
        let (time, facts) = match self {
            Self::Gap {
                source,
                numbers,
                missing,
                gaps,
                noticed_at,
            } => {
                let facts = of_source(action::LOG_GAP, Outcome::Failure, &source)
                    .with_detail("first", numbers.first)
                    .with_detail("last", numbers.last)
                    .with_detail("missing", missing)
                    .with_detail("gaps", gaps);
                (noticed_at.plus(gap_after), facts)
            }
            Self::GapClosed {
                source,
                numbers,
                time,
            } => {
                let facts = of_source(action::LOG_GAP_CLOSED, Outcome::Success, &source)
                    .with_detail("first", numbers.first)
                    .with_detail("last", numbers.last);
                (time, facts)
            }
            Self::Silent {
                source,
                since,
                last,
                time,
            } => {
                let facts = of_source(action::SOURCE_SILENT, Outcome::Failure, &source)
                    .with_detail("last", last)
                    .with_detail("since", since.to_string());
                (time, facts)
            }
            Self::Back {
                source,
                since,
                last,
                time,
            } => {
                let facts = of_source(action::SOURCE_BACK, Outcome::Success, &source)
                    .with_detail("last", last)
                    .with_detail("since", since.to_string());
                (time, facts)
            }
            Self::Statement(statement) => (statement.time, statement.facts()),
        };
        told_once(time, facts)
    }
}

impl Statement {
    fn facts(mut self) -> Facts {
        let is_sound = self
            .sources
            .iter()
            .all(|source| source.missing == 0 && source.altered == 0);
        let outcome = if is_sound {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        // Those of which there is more to say first, so that it is not they that are left out.
        self.sources
            .sort_by_key(|source| source.missing == 0 && source.altered == 0);
        let left_out = self.sources.len().saturating_sub(SOURCES_MAX);
        self.sources.truncate(SOURCES_MAX);
        Facts::new(Class::System, action::COMPLETENESS_STATEMENT, outcome)
            .with_detail("from", self.from)
            .with_detail("to", self.to)
            .with_detail("sources", json!(self.sources))
            .with_detail("left_out", left_out)
    }
}

fn of_source(name: &str, outcome: Outcome, source: &Source) -> Facts {
    Facts::new(Class::System, name, outcome)
        .with_detail("service", source.service.as_str())
        .with_detail("instance", source.instance.as_str())
        .with_detail("boot", source.boot.to_string())
}

/// An event whose id is that of what it says: a collector that goes on where another one died tells nothing twice.
fn told_once(time: UtcMicros, facts: Facts) -> Draft {
    // Facts without floats or foreign keys cannot fail to be written.
    let said = serde_json::to_vec(&facts).unwrap_or_default();
    let mut rest = [0; 10];
    for (byte, hashed) in rest.iter_mut().zip(digest(&SHA256, &said).as_ref()) {
        *byte = *hashed;
    }
    Draft {
        id: stable_event_id(time, &rest),
        time,
        facts,
    }
}
