//! Events at rest: appended once in batches, never changed.

mod follow;
mod read;
mod recent;
mod row;
mod sort;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use shared::database::{Database, DatabaseError};
use shared::event::Event;
use tokio::sync::watch;
use uuid::Uuid;

use crate::dead_letter::DeadLetter;
use crate::enrichment::{Locality, Places};
use crate::pseudonym::{NoDisguise, Pseudonyms, Unsealed};
pub(crate) use follow::{Follower, Following};
pub use read::{Growth, Positioned};
pub(crate) use read::{Page, Stored};
use recent::Recent;
pub(crate) use row::{Row, address_bytes, address_of_bytes, identity_word, searchable};
pub(crate) use store::COLUMNS;

/// An event as it arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What it says.
    pub event: Arc<Event>,
    /// The bytes it came in, which are what is kept and hashed.
    pub body: Bytes,
}

impl Arrival {
    /// The same as a dead letter.
    fn set_apart(&self, reason: &'static str) -> DeadLetter {
        DeadLetter {
            reason,
            publisher: Some(self.event.source.service.clone()),
            body: self.body.clone(),
        }
    }
}

/// An event as it is to be stored, with what stands beside it.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    arrival: Arrival,
    locality: Locality,
    sealed: Option<Bytes>,
    original: Unsealed,
}

/// The reason of a dead letter whose id is that of another event with other content.
pub const ID_CONFLICT: &str = "id_conflict";

/// The reason of a dead letter that says once more what a stored event says. It is kept because its number counts.
pub const REPEATED: &str = "repeated";

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events that are new.
    pub stored: usize,
    /// Events that were stored before, byte for byte.
    pub duplicates: usize,
    /// Events that a service has reported before; each is kept apart.
    pub repeats: usize,
    /// Ids of events that were refused because another event has them.
    pub conflicts: Vec<Uuid>,
}

/// The log of this deployment, as one process reaches it. Clones share its connections.
#[derive(Clone, Debug)]
pub struct EventLog {
    database: Database,
    newest: watch::Sender<Option<Uuid>>,
    grown: watch::Sender<()>,
    recent: Recent,
    places: Option<Arc<Places>>,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

impl EventLog {
    /// The log in `database`.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            newest: watch::Sender::new(None),
            grown: watch::Sender::new(()),
            recent: Recent::default(),
            places: None,
            pseudonyms: None,
        }
    }

    /// The same, which keeps beside events where their clients are.
    #[must_use]
    pub fn with_places(self, places: Option<Arc<Places>>) -> Self {
        Self { places, ..self }
    }

    /// The same, which hides what is to be hidden of events, and knows what was.
    #[must_use]
    pub fn with_pseudonyms(self, pseudonyms: Option<Arc<Pseudonyms>>) -> Self {
        Self { pseudonyms, ..self }
    }

    /// What makes pseudonyms, if there are any.
    pub(crate) fn pseudonyms(&self) -> Option<&Pseudonyms> {
        self.pseudonyms.as_deref()
    }

    /// What is known here of what an event said of which that is stored.
    pub(crate) fn unsealed(&self, stored: &Stored) -> Unsealed {
        let Some(sealed) = &stored.sealed else {
            return Unsealed::AsItIs;
        };
        let known = self.pseudonyms();
        known.map_or(Unsealed::Closed, |known| {
            known.open(stored.id, &stored.body, sealed)
        })
    }

    /// What is kept of events. What cannot be hidden cannot be stored.
    fn keeping(&self, fresh: &[&Arrival]) -> Result<Vec<Keeping>, DatabaseError> {
        let keeping = fresh.iter().map(|arrival| self.disguised(arrival));
        keeping
            .collect::<Result<_, _>>()
            .map_err(DatabaseError::of_the_values)
    }

    /// What is kept of an event: where its client was is looked up before that is hidden.
    fn disguised(&self, arrival: &Arrival) -> Result<Keeping, NoDisguise> {
        let locality = self.locality(&arrival.event);
        let disguised = match self.pseudonyms() {
            Some(pseudonyms) => pseudonyms.disguise(&arrival.event, &arrival.body)?,
            None => None,
        };
        let Some(disguised) = disguised else {
            return Ok(Keeping {
                arrival: arrival.clone(),
                locality,
                sealed: None,
                original: Unsealed::AsItIs,
            });
        };
        Ok(Keeping {
            arrival: Arrival {
                event: Arc::new(disguised.event),
                body: disguised.body,
            },
            locality,
            sealed: Some(disguised.sealed),
            original: Unsealed::Known(Arc::new(disguised.original)),
        })
    }

    /// The map of addresses that is used.
    pub(crate) fn places(&self) -> Option<&Places> {
        self.places.as_deref()
    }

    /// Where the client of an event is.
    fn locality(&self, event: &Event) -> Locality {
        let ip = event
            .facts
            .client
            .as_ref()
            .and_then(|client| client.ip.as_deref());
        let place = ip.and_then(|ip| self.places()?.of(ip));
        place.map_or_else(Locality::default, |place| place.locality())
    }

    /// Where it is kept.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Changes to the id of each batch that this process commits.
    pub fn newest_batch(&self) -> watch::Receiver<Option<Uuid>> {
        self.newest.subscribe()
    }
}
