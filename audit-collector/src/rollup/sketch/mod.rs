//! What adds up where counts do not: which values there were, which of them often, and how long answers took (decisions 0133 and 0135).

mod distinct;
mod frequent;
mod spread;
mod store;
mod varint;

pub(crate) use distinct::{Distinct, STANDARD_ERROR, ValueHash};
pub(crate) use frequent::Frequent;
pub(crate) use spread::{RELATIVE_ERROR, Spread};
pub(super) use store::add;

/// What is kept of events beside their count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch {
    pub(super) events: i64,
    pub(super) users: Distinct,
    pub(super) addresses: Distinct,
    pub(super) durations: Spread,
    /// In brief alone.
    pub(super) names: Option<Names>,
}

/// The most frequent users and addresses.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    pub(super) users: Frequent,
    pub(super) addresses: Frequent,
}

impl Sketch {
    /// Adds what is kept of other events.
    pub(super) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.users.merge(&other.users);
        self.addresses.merge(&other.addresses);
        self.durations.merge(&other.durations);
        if let Some(others) = &other.names {
            let names = self.names.get_or_insert_default();
            names.users.merge(&others.users);
            names.addresses.merge(&others.addresses);
        }
    }
}
