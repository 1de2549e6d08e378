//! How many may follow the log at a time, and until when.

use std::sync::Arc;

use shared::runtime::shutdown::CancellationToken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of those who follow the log. Clones share them.
#[derive(Clone, Debug)]
pub struct Tails {
    places: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Tails {
    /// Tails at a time in one process, each of which asks the database a few times a second at most.
    pub const COUNT_MAX: usize = 64;

    /// So many places, all of which are given up when `stopping` is cancelled.
    pub fn new(count_max: usize, stopping: CancellationToken) -> Self {
        Self {
            places: Arc::new(Semaphore::new(count_max)),
            stopping,
        }
    }

    /// A place, unless all are taken.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// What tells that the process stops.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }
}
