//! Drains the folders of boots that are gone, under their own source and numbers.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::SpoolError;
use super::segment::Segment;
use super::window::{BATCH_MAX, Window};

/// Adopts and drains every folder of `service` in `dir` whose process is gone. One that cannot be read is told and left
/// as it is.
pub(super) async fn drain_abandoned(dir: &Path, service: &'static str, window: &mut Window) {
    let dir = dir.to_owned();
    let listed = spawn_blocking(move || Segment::folders(&dir, service)).await;
    let Ok(Ok(folders)) = listed else { return };
    for folder in folders {
        let shown = folder.display().to_string();
        match adopt_and_drain(folder, window).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(folder = shown, events, "forwarded what an earlier boot left"),
            Err(error) => tracing::error!(folder = shown, %error, "an earlier boot's spool cannot be read"),
        }
    }
}

async fn adopt_and_drain(folder: PathBuf, window: &mut Window) -> Result<u64, SpoolError> {
    let Some(mut segment) = blocking(move || Segment::adopt(&folder)).await? else {
        return Ok(0);
    };
    window.begin(0);
    let mut before_first = None;
    let mut all_sent = false;
    while !all_sent || !window.is_empty() {
        if all_sent || !window.has_room() {
            let oldest = window.oldest().await;
            all_sent &= window.settle(oldest).await.is_some();
            continue;
        }
        let after = window.sent();
        let (returned, batch) = blocking(move || {
            let batch = segment.read_after(after, BATCH_MAX)?;
            Ok::<_, SpoolError>((segment, batch))
        })
        .await?;
        segment = returned;
        all_sent = batch.is_empty();
        if let Some(first) = batch.first() {
            before_first.get_or_insert(first.seq - 1);
        }
        window.send(batch).await;
    }
    blocking(move || segment.remove()).await?;
    Ok(before_first.map_or(0, |before| window.sent() - before))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
