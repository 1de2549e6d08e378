//! How many exports there may be at a time: each reads as fast as it is taken, beside those who search.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for exports of this process.
#[derive(Clone, Debug)]
pub struct Exports(Arc<Semaphore>);

impl Exports {
    /// Exports at a time: half of the connections that read.
    pub const COUNT_MAX: usize = 4;

    /// That many places.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// A place, if one is free. Dropped, it is free again.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}
