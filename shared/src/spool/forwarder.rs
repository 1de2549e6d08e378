//! Drains segments to the transport: reads in order, sends ahead of the confirms, trims in order what is confirmed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::Command;
use super::adopt::drain_abandoned;
use super::segment::{Reader, Record, Segment};
use super::window::{BATCH_MAX, Window};
use crate::runtime::Backoff;
use crate::runtime::shutdown::CancellationToken;
use crate::transport::Publisher;

/// How often folders of boots that are gone are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(30);

/// The segment that this process writes, as the forwarder sees it.
pub(super) struct OwnSegment {
    pub(super) service: &'static str,
    pub(super) folder: PathBuf,
    pub(super) writes: watch::Receiver<u64>,
    pub(super) commands: mpsc::Sender<Command>,
}

/// Forwards until the writer has ended and everything is confirmed, or until it is told to stop.
pub(super) async fn run(own: OwnSegment, dir: PathBuf, publisher: Publisher, stop: CancellationToken) {
    let folder = own.folder.clone();
    let forwarding = async {
        let mut window = Window::new(publisher);
        let reader = open_reader(&own.folder).await;
        drain_abandoned(&dir, own.service, &mut window).await;
        forward_own(own, reader, &dir, &mut window).await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = forwarding => remove(&folder).await,
    }
}

/// Opens the segment for reading, again and again if it must: without it nothing would ever leave.
async fn open_reader(folder: &Path) -> Reader {
    let mut backoff = Backoff::default();
    loop {
        match Segment::reader(folder) {
            Ok(reader) => return reader,
            Err(error) => tracing::error!(%error, "the spool cannot be read"),
        }
        backoff.wait().await;
    }
}

/// Returns when the writer has ended and all of it is confirmed.
async fn forward_own(mut own: OwnSegment, mut reader: Reader, dir: &Path, window: &mut Window) {
    // The forwarder's own sender must not keep the writer alive after everyone else is gone.
    let commands = own.commands.downgrade();
    drop(own.commands);
    let mut confirmed = 0;
    let mut patience = Backoff::default();
    let mut adopting = tokio::time::interval(ADOPT_EVERY);
    adopting.reset();
    let (mut must_adopt, mut has_ended) = (false, false);
    window.begin(confirmed);
    loop {
        if must_adopt && window.is_empty() {
            drain_abandoned(dir, own.service, window).await;
            window.begin(confirmed);
            must_adopt = false;
        }
        // What abandoned folders hold is older, so that it goes first, as soon as nothing is on its way.
        let may_send = window.has_room() && !must_adopt;
        if may_send && *own.writes.borrow_and_update() > window.sent() {
            let (returned, batch) = read(reader, window.sent()).await;
            reader = returned;
            match batch {
                Ok(batch) => {
                    patience.reset();
                    window.send(batch).await;
                }
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read");
                    patience.wait().await;
                }
            }
            continue;
        }
        if has_ended && window.is_empty() {
            return;
        }
        tokio::select! {
            oldest = window.oldest() => {
                let Some(mark) = window.settle(oldest).await else { continue };
                confirmed = mark;
                if let Some(commands) = commands.upgrade() {
                    // The writer may have ended; then the whole folder goes at once.
                    drop(commands.send(Command::Trim(confirmed)).await);
                }
            }
            changed = own.writes.changed(), if may_send && !has_ended => has_ended = changed.is_err(),
            _ = adopting.tick() => must_adopt = true,
        }
    }
}

/// Reads off the runtime's threads.
async fn read(reader: Reader, after: u64) -> (Reader, rusqlite::Result<Vec<Record>>) {
    let reading = spawn_blocking(move || {
        let batch = reader.read_after(after, BATCH_MAX);
        (reader, batch)
    });
    match reading.await {
        Ok(read) => read,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

async fn remove(folder: &Path) {
    let folder = folder.to_owned();
    let removing = spawn_blocking(move || match Segment::adopt(&folder) {
        Ok(Some(segment)) => segment.remove(),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    });
    if let Ok(Err(error)) = removing.await {
        tracing::warn!(%error, "an empty spool folder could not be removed");
    }
}
