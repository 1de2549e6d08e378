//! The door as a reverse proxy: what the gate lets in is forwarded.

mod answer;
pub(crate) mod handler;
pub(crate) mod me;

use std::sync::Arc;

use shared::http::client::PooledClient;

use crate::gate::Gate;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gate: Arc<Gate>,
    pub(crate) client: PooledClient,
    pub(crate) body_max_bytes: u64,
}
