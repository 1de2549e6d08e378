//! Counts by name of the users and addresses that have many events in a day: others are counted from rows (decision 0137).

mod source;
mod store;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use shared::event::Event;

use super::kind::{Place, short};
use crate::search::Name;
pub(super) use source::source;
pub(super) use store::{NameDay, add, forget};

/// A name with so many events of one kind in brief on one day is heavy. So a month of a name that is not is some thousands of rows.
pub(super) const EVENTS_MIN: u64 = 128;

/// When an event happened, as the beginning of its hour, and its kind in full.
type Happened = (i64, Place);

/// What happened, by users and addresses.
#[derive(Debug, Default)]
pub(super) struct ByName {
    users: HashMap<Box<str>, Vec<Happened>, RandomState>,
    addresses: HashMap<[u8; 16], Vec<Happened>, RandomState>,
}

impl ByName {
    /// Adds an event from an address: to its user's name and to its subject, as a filter looks for either.
    pub(super) fn add(&mut self, event: &Event, address: Option<[u8; 16]>, happened: Happened) {
        let actor = &event.facts.actor;
        let name = actor.username.as_deref().map(short);
        let sub = actor
            .sub
            .as_deref()
            .map(short)
            .filter(|sub| name.as_ref() != Some(sub));
        for user in name.iter().chain(&sub) {
            match self.users.get_mut(&**user) {
                Some(all) => all.push(happened),
                None => drop(self.users.insert(Box::from(&**user), vec![happened])),
            }
        }
        if let Some(address) = address {
            self.addresses.entry(address).or_default().push(happened);
        }
    }

    /// What happened to one of them.
    fn of(&self, name: &Name) -> &[Happened] {
        let found = match name {
            Name::User(user) => self.users.get(user.as_str()),
            Name::Address(address) => self.addresses.get(address),
        };
        found.map(Vec::as_slice).unwrap_or_default()
    }
}
