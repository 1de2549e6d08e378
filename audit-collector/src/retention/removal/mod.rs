//! What is removed and what is kept of it.

mod leaves;
mod run;
mod store;

use crate::search::{Filter, Statement};

pub(super) use run::{remove, would_remove};
use store::{count, followed_until, remove_some, table_parts};

/// What came of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Events that were removed.
    pub events: u64,
    /// Tables that were dropped as a whole.
    pub ranges: u64,
    /// Events that holds kept when their range was dropped.
    pub held: u64,
    /// Alerts that were removed, of the class of that name.
    #[serde(skip_serializing_if = "is_zero")]
    pub alerts: u64,
    /// Messages about them that were removed with them.
    #[serde(skip_serializing_if = "is_zero")]
    pub messages: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands members over by reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What is not to be removed: what meets a hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(pub(super) Vec<Filter>);

impl Kept {
    /// Whether there is a hold.
    pub(super) fn holds(&self) -> bool {
        !self.0.is_empty()
    }

    /// The condition that a row of `event e` is held.
    pub(super) fn held(&self, statement: &mut Statement) -> String {
        let filters: Vec<_> = self.0.iter().map(|filter| statement.filter(filter)).collect();
        if filters.is_empty() {
            "(1 = 0)".to_owned()
        } else {
            format!("({})", filters.join(" OR "))
        }
    }
}
