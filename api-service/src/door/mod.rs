//! The door as a reverse proxy: what the gate lets in is forwarded.

mod answer;
pub(crate) mod handler;
pub(crate) mod me;
pub(crate) mod protected_resource;
mod upstream;

use std::sync::Arc;

use shared::runtime::shutdown::CancellationToken;

use crate::gate::Gate;
use crate::proxy::Pools;
pub(crate) use upstream::reporter;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gate: Arc<Gate>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) body_max_bytes: u64,
    /// The order to stop.
    pub(crate) stopping: CancellationToken,
}
