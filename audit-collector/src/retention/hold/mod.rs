//! Legal holds: events that are kept whatever their age, for as long as the hold lasts.

pub(super) mod handler;
pub(super) mod store;

use serde::Serialize;
use shared::clock::UtcMicros;
use uuid::Uuid;

use crate::search::{Filter, InvalidFilter};

/// The longest name of a hold, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// The longest reason that is taken, in bytes.
pub(super) const REASON_BYTES_MAX: usize = 1_024;

/// Holds at a time: every removal asks all of them.
pub(super) const HOLDS_MAX: i64 = 100;

/// Events that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Which events, in the filter language.
    pub q: String,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// When; what `last` in the filter counts from.
    pub made_at: UtcMicros,
    /// When it was released; it keeps nothing since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<UtcMicros>,
}

impl Hold {
    /// Which events it keeps.
    pub fn filter(&self) -> Result<Filter, InvalidFilter> {
        Filter::parse(&self.q, self.made_at)
    }
}
