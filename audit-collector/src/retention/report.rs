//! What a run did, or would do, with one class. Pure.

use shared::clock::UtcMicros;
use shared::event::Class;

use super::Keeping;
use super::removal::Removed;

/// What a run did, or would do, with one class.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The class.
    pub class: Class,
    /// Days it is kept.
    pub days: u32,
    /// What happened before this moment is not kept.
    pub before: UtcMicros,
    /// What was removed.
    #[serde(flatten)]
    pub removed: Removed,
    /// Why the rest was left for the next run, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_off: Option<PutOff>,
}

/// Why a class is left for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PutOff {
    /// The log is not followed that far, by roll-ups, detection or completeness.
    Unfollowed,
    /// Its tables were in use for longer than a change of them waits.
    InUse,
}

impl Report {
    /// That nothing was done yet.
    pub(super) fn new(keeping: Keeping, now: UtcMicros) -> Self {
        Self {
            class: keeping.class,
            days: keeping.days,
            before: keeping.cutoff(now).0,
            removed: Removed::default(),
            put_off: None,
        }
    }
}

impl PutOff {
    /// Said to people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unfollowed => "roll-ups or completeness have not come that far",
            Self::InUse => "its tables are in use",
        }
    }
}
