//! Pseudonyms: what events keep in place of names and addresses where the operator wants it so.
//!
//! A pseudonym is made when an event is stored, after what stands beside it has been looked up by the true values. Who has no key
//! can still search, count and detect by it: a name has always the same one, and addresses of one network have those of one network. What it
//! stands for lies sealed beside the event, with the digest of the bytes that its source has hashed.

mod handler;
mod hide;
mod key;
mod original;
mod settings;
mod store;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use ipnet::IpNet;
use shared::event::{Event, Facts};
use shared::sealing::{MasterKey, Underivable};
use shared::spool::event_digest;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::AppState;
use key::Key;
pub use original::{Original, Unsealed};
pub use settings::{SETTINGS, read_pseudonyms};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::reveal_event))
        .routes(routes!(handler::find_pseudonyms))
}

/// What is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hidden {
    /// The names that users sign in with, also those that somebody only tried.
    Names,
    /// The addresses of clients, wherever an event has one as such.
    Addresses,
}

impl Hidden {
    const ALL: [Self; 2] = [Self::Names, Self::Addresses];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Addresses => "addresses",
        }
    }
}

/// There is nothing of that name to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what can be hidden is `names` and `addresses`")]
pub struct InvalidHidden;

impl FromStr for Hidden {
    type Err = InvalidHidden;

    fn from_str(text: &str) -> Result<Self, InvalidHidden> {
        let known = Self::ALL.into_iter().find(|hidden| hidden.as_str() == text);
        known.ok_or(InvalidHidden)
    }
}

/// Makes pseudonyms, and knows what they stand for.
pub struct Pseudonyms {
    hidden: BTreeSet<Hidden>,
    /// The first one makes pseudonyms; those of the others are still known.
    keys: Vec<Key>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pseudonyms")
            .field("hidden", &self.hidden)
            .finish_non_exhaustive()
    }
}

/// An event as it is kept in place of what came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Disguised {
    pub(crate) event: Event,
    pub(crate) body: Bytes,
    pub(crate) sealed: Bytes,
    pub(crate) original: Original,
}

/// An event cannot be kept without what is to be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event cannot be given pseudonyms")]
pub(crate) struct NoDisguise;

impl Pseudonyms {
    /// Pseudonyms for what is `hidden` by the first of the keys; what was hidden by the others is still known.
    pub fn new(hidden: impl IntoIterator<Item = Hidden>, keys: &[MasterKey]) -> Result<Self, Underivable> {
        Ok(Self {
            hidden: hidden.into_iter().collect(),
            keys: keys.iter().map(Key::of).collect::<Result<_, _>>()?,
        })
    }

    /// What `event`, which came as `body`, is kept as; `None` if there is nothing to hide in it.
    pub(crate) fn disguise(&self, event: &Event, body: &[u8]) -> Result<Option<Disguised>, NoDisguise> {
        let Some(key) = self.keys.first().filter(|_| !self.hidden.is_empty()) else {
            return Ok(None);
        };
        let (mut disguised, replaced) = hide::hidden(event, &self.hidden, key);
        if replaced.is_empty() {
            return Ok(None);
        }
        let written = hide::encoded(&mut disguised).map_err(|_| NoDisguise)?;
        let original = Original::new(event_digest(body), replaced);
        let sealed = key.seal(event.id, &written, &original.encoded());
        let sealed = sealed.ok_or(NoDisguise)?;
        Ok(Some(Disguised {
            event: disguised,
            body: written.into(),
            sealed: sealed.into(),
            original,
        }))
    }

    /// What is known of what the event said of which `body` is kept, and `sealed` beside it.
    pub(crate) fn open(&self, event: Uuid, body: &[u8], sealed: &[u8]) -> Unsealed {
        let Some(key) = self.key_of(sealed) else {
            return Unsealed::Closed;
        };
        let opened = key.open(event, body, sealed);
        let original = opened.and_then(|opened| Original::decode(&opened));
        original.map_or(Unsealed::Broken, |original| Unsealed::Known(Arc::new(original)))
    }

    fn key_of(&self, sealed: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|key| key.has_sealed(sealed))
    }

    /// What `event` would say if it was hidden as what was sealed so was hidden.
    pub(crate) fn facts_like(&self, sealed: &[u8], event: &Event) -> Option<Facts> {
        let key = self.key_of(sealed)?;
        let (disguised, _) = hide::hidden(event, &self.hidden, key);
        Some(disguised.facts)
    }

    /// The pseudonyms of a name, by each of the keys.
    pub(crate) fn of_name(&self, name: &str) -> impl Iterator<Item = String> {
        self.keys_for(Hidden::Names).map(|key| key.name(name))
    }

    /// The networks with the pseudonyms of the addresses of a network, by each of the keys.
    pub(crate) fn of_network(&self, network: IpNet) -> impl Iterator<Item = IpNet> {
        self.keys_for(Hidden::Addresses)
            .map(move |key| key.network(network))
    }

    fn keys_for(&self, hidden: Hidden) -> std::slice::Iter<'_, Key> {
        let keys = self.keys.as_slice();
        let keys = if self.hidden.contains(&hidden) { keys } else { &[] };
        keys.iter()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use shared::clock::UtcMicros;
    use shared::event::{Class, ClientFacts, Draft, Outcome, Source, wire};

    use super::*;

    /// What hides that by keys of one digit each.
    pub(crate) fn pseudonyms(hidden: &[Hidden], keys: &str) -> Pseudonyms {
        let key = |digit: char| digit.to_string().repeat(64).parse().unwrap();
        let keys: Vec<MasterKey> = keys.chars().map(key).collect();
        Pseudonyms::new(hidden.iter().copied(), &keys).unwrap()
    }

    /// What says a name and an address.
    pub(crate) fn event() -> Event {
        let mut facts = Facts::new(Class::Auth, "authn_login_fail", Outcome::Failure);
        facts.actor.username = Some("alice".into());
        facts.client = Some(ClientFacts {
            ip: Some("192.0.2.7".into()),
            ..ClientFacts::default()
        });
        let source = Source {
            service: "auth-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        Draft::new(UtcMicros::from_seconds(1), facts).numbered(source, 1)
    }

    #[test]
    fn what_is_not_hidden_is_looked_for_by_no_pseudonym_and_what_is_by_one_of_each_key() {
        let counts = |hidden: &[Hidden]| {
            let pseudonyms = pseudonyms(hidden, "ba");
            let network = "192.0.2.0/24".parse().unwrap();
            (
                pseudonyms.of_name("alice").count(),
                pseudonyms.of_network(network).count(),
            )
        };

        assert_eq!(counts(&[Hidden::Names]), (2, 0));
        assert_eq!(counts(&[Hidden::Addresses]), (0, 2));
        assert_eq!(counts(&Hidden::ALL), (2, 2));
    }

    #[test]
    fn an_event_that_comes_again_is_hidden_by_the_key_that_hid_it_before() {
        let event = event();
        let body = wire::encode(&event).unwrap();
        let before = pseudonyms(&Hidden::ALL, "a")
            .disguise(&event, &body)
            .unwrap()
            .unwrap();

        let rotated = pseudonyms(&Hidden::ALL, "ba");

        assert_eq!(
            rotated.facts_like(&before.sealed, &event),
            Some(before.event.facts)
        );
        let afresh = rotated.disguise(&event, &body).unwrap().unwrap();
        assert_ne!(
            rotated.facts_like(&before.sealed, &event),
            Some(afresh.event.facts)
        );
        assert_eq!(
            pseudonyms(&Hidden::ALL, "b").facts_like(&before.sealed, &event),
            None
        );
    }
}
