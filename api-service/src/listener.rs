//! The door's listener: who may connect, and what is told of those who are refused before they ask for anything.

use std::sync::Arc;

use shared::http::serve::{Refused, Serving, Tls};

use crate::gate::Gate;

/// Who may connect, and how.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// What encrypts connections; they are plain without.
    pub tls: Option<Tls>,
    /// Connections at a time.
    pub connections_max: usize,
    /// Connections from one address at a time; trusted proxies may have more.
    pub per_address_max: usize,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: 10_000,
            per_address_max: 1_000,
        }
    }
}

impl ListenerSettings {
    /// The same for the listener of a door that stands before `gate`, which hears of every refusal.
    pub(crate) fn serving(self, gate: &Arc<Gate>) -> Serving {
        let told = Arc::clone(gate);
        Serving {
            tls: self.tls,
            connections_max: self.connections_max,
            per_address_max: self.per_address_max,
            proxies: gate.trusted_proxies.clone(),
            hands_over_flaws: true,
            on_refused: Arc::new(move |refused: Refused| told.note_refused(refused)),
        }
    }
}
