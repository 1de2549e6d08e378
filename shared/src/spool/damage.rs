//! What of a folder cannot be read, and what is told of it.

use std::path::Path;

use crate::event::{Class, Facts, Outcome, Source, action};

/// How a folder is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// A record was not read as it was written.
    #[error("a record has another checksum than it was written with")]
    Record,
    /// Numbers are missing between two records.
    #[error("records are missing")]
    Missing,
    /// SQLite cannot read on.
    #[error("the database cannot be read")]
    Database,
    /// What was committed to the write-ahead log cannot be read to its end.
    #[error("the end of the write-ahead log cannot be read")]
    Log,
    /// An intent was not read as it was written, or cannot be numbered.
    #[error("an intent cannot be told")]
    Intent,
}

impl Flaw {
    /// The reason of the event.
    const fn code(self) -> &'static str {
        match self {
            Self::Record => "record_damaged",
            Self::Missing => "records_missing",
            Self::Database => "database_damaged",
            Self::Log => "log_damaged",
            Self::Intent => "intent_damaged",
        }
    }
}

/// What of a folder cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after event {last_seq}: {flaw}")]
pub(super) struct Damage {
    pub(super) flaw: Flaw,
    /// The number of the last event before it.
    pub(super) last_seq: u64,
    /// How many events it took; `None` if nothing can be read after it.
    pub(super) lost: Option<u64>,
}

impl Damage {
    /// The first event after it, if it has an end.
    pub(super) fn next_seq(self) -> Option<u64> {
        Some(self.last_seq + self.lost? + 1)
    }

    /// With what was found later in the same folder.
    pub(super) fn and(self, later: Self) -> Self {
        Self {
            lost: self.lost.zip(later.lost).map(|(lost, more)| lost + more),
            ..self
        }
    }

    /// The facts of the event that tells it.
    pub(super) fn facts(self, source: Option<&Source>, folder: &Path) -> Facts {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut facts = Facts::new(Class::System, action::SPOOL_DAMAGED, Outcome::Failure)
            .because(self.flaw.code())
            .with_detail("folder", name.into_owned())
            .with_detail("last_seq", self.last_seq);
        if let Some(source) = source {
            facts = facts
                .with_detail("instance", source.instance.as_str())
                .with_detail("boot", source.boot.to_string());
        }
        if let Some(lost) = self.lost {
            facts = facts.with_detail("lost", lost);
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn damage(last_seq: u64, lost: Option<u64>) -> Damage {
        Damage {
            flaw: Flaw::Record,
            last_seq,
            lost,
        }
    }

    #[test]
    fn two_damages_lose_what_each_lost_and_begin_at_the_first() {
        assert_eq!(damage(4, Some(1)).and(damage(9, Some(3))), damage(4, Some(4)));
        assert_eq!(damage(4, Some(1)).and(damage(9, None)), damage(4, None));
    }

    #[test]
    fn reading_goes_on_after_what_is_lost() {
        assert_eq!(damage(4, Some(2)).next_seq(), Some(7));
        assert_eq!(damage(4, None).next_seq(), None);
    }
}
