//! Drains segments to the transport: reads in order, publishes with confirms, trims what is confirmed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::Command;
use super::adopt::drain_abandoned;
use super::segment::{Reader, Record, Segment};
use crate::runtime::Backoff;
use crate::runtime::shutdown::CancellationToken;
use crate::transport::{Message, PublishError, Publisher};

/// Events in one publish: enough to keep confirms pipelined.
pub(super) const BATCH_MAX: usize = 512;

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
        let mut link = Link {
            publisher,
            backoff: Backoff::default(),
        };
        let reader = open_reader(&own.folder, &mut link.backoff).await;
        drain_abandoned(&dir, own.service, &mut link).await;
        forward_own(own, reader, &dir, &mut link).await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = forwarding => remove(&folder).await,
    }
}

/// Opens the segment for reading, again and again if it must: without it nothing would ever leave.
async fn open_reader(folder: &Path, backoff: &mut Backoff) -> Reader {
    loop {
        match Segment::reader(folder) {
            Ok(reader) => return reader,
            Err(error) => tracing::error!(%error, "the spool cannot be read"),
        }
        backoff.wait().await;
    }
}

/// Returns when the writer has ended and all of it is confirmed.
async fn forward_own(mut own: OwnSegment, mut reader: Reader, dir: &Path, link: &mut Link) {
    // The forwarder's own sender must not keep the writer alive after everyone else is gone.
    let commands = own.commands.downgrade();
    drop(own.commands);
    let mut confirmed = 0;
    let mut adopting = tokio::time::interval(ADOPT_EVERY);
    adopting.reset();
    loop {
        let (returned, batch) = read(reader, confirmed).await;
        reader = returned;
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                link.backoff.wait().await;
                continue;
            }
        };
        if let Some(last) = batch.last().map(|record| record.seq) {
            link.publish(batch).await;
            confirmed = last;
            if let Some(commands) = commands.upgrade() {
                // The writer may have ended; then the whole folder goes at once.
                drop(commands.send(Command::Trim(confirmed)).await);
            }
            continue;
        }
        tokio::select! {
            ended = async { own.writes.wait_for(|written| *written > confirmed).await.is_err() } => {
                if ended {
                    return;
                }
            }
            _ = adopting.tick() => drain_abandoned(dir, own.service, link).await,
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

/// The publisher and its patience.
pub(super) struct Link {
    publisher: Publisher,
    backoff: Backoff,
}

impl Link {
    /// Publishes a batch, again and again until it is confirmed.
    pub(super) async fn publish(&mut self, batch: Vec<Record>) {
        let messages: Vec<_> = batch
            .into_iter()
            .map(|record| Message {
                routing_key: record.routing_key,
                body: record.body.into(),
            })
            .collect();
        let mut failed = false;
        while let Err(error) = self.publisher.publish(&messages).await {
            tell(&error, failed);
            failed = true;
            self.backoff.wait().await;
        }
        if failed {
            tracing::info!("events are forwarded again");
        }
        self.backoff.reset();
    }
}

/// Says the first failure of a row loudly and the rest quietly: an outage is one piece of news.
fn tell(error: &PublishError, again: bool) {
    if again {
        tracing::debug!(%error, "events still wait in the spool");
    } else {
        tracing::warn!(%error, "events wait in the spool");
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
