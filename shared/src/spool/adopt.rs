//! Drains the folders of boots that are gone, under their own source and numbers.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::SpoolError;
use super::forwarder::{BATCH_MAX, Link};
use super::segment::{Record, Segment};

/// Adopts and drains every folder of `service` in `dir` whose process is gone. One that cannot be read is told and left
/// as it is.
pub(super) async fn drain_abandoned(dir: &Path, service: &'static str, link: &mut Link) {
    let dir = dir.to_owned();
    let listed = spawn_blocking(move || Segment::folders(&dir, service)).await;
    let Ok(Ok(folders)) = listed else { return };
    for folder in folders {
        let shown = folder.display().to_string();
        match adopt_and_drain(folder, link).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(folder = shown, events, "forwarded what an earlier boot left"),
            Err(error) => tracing::error!(folder = shown, %error, "an earlier boot's spool cannot be read"),
        }
    }
}

async fn adopt_and_drain(folder: PathBuf, link: &mut Link) -> Result<usize, SpoolError> {
    let Some(mut segment) = blocking(move || Segment::adopt(&folder)).await? else {
        return Ok(0);
    };
    let (mut confirmed, mut events) = (0, 0);
    loop {
        let (returned, batch) = blocking(move || {
            let batch = segment.read_after(confirmed, BATCH_MAX)?;
            Ok::<(Segment, Vec<Record>), SpoolError>((segment, batch))
        })
        .await?;
        segment = returned;
        let Some(last) = batch.last() else { break };
        confirmed = last.seq;
        events += batch.len();
        link.publish(batch).await;
    }
    blocking(move || segment.remove()).await?;
    Ok(events)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
