//! Work that may wait for the disk.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// Does `work` off the runtime's own threads, which must never wait. A panic of it is the caller's.
///
/// It goes on when nobody waits for it any more.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        // Only a runtime that ends cancels what it has not begun, and then nobody waits any more.
        Err(panic) => resume_unwind(panic.into_panic()),
    }
}
