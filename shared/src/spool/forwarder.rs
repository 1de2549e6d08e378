//! Drains segments to the transport: reads in order, sends ahead of the confirms, trims in order what is confirmed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::adopt::Adopter;
use super::damage::Damage;
use super::record::Record;
use super::segment::{Adopted, Segment};
use super::store::{ReadError, Store};
use super::tell::Teller;
use super::{Command, SpoolError};
use crate::runtime::shutdown::CancellationToken;
use crate::runtime::{Backoff, blocking};
use crate::transport::{BATCH_MAX, Numbered, Window};

/// How often folders of boots that are gone are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(30);

/// The segment that this process writes, as the forwarder sees it.
pub(super) struct OwnSegment {
    pub(super) boot: Uuid,
    pub(super) folder: PathBuf,
    pub(super) reader: Store,
    pub(super) writes: watch::Receiver<u64>,
    pub(super) commands: mpsc::Sender<Command>,
}

/// Forwards until the writer has ended and everything is confirmed, until it is told to stop, or until the segment cannot be read any
/// more: then the process should start anew, with a segment that can.
pub(super) async fn run(own: OwnSegment, mut adopter: Adopter, mut window: Window, stop: CancellationToken) {
    let folder = own.folder.clone();
    let forwarding = async {
        adopter.drain_abandoned(&mut window).await;
        forward_own(own, &mut adopter, &mut window).await
    };
    tokio::select! {
        () = stop.cancelled() => {}
        forwarded = forwarding => match forwarded {
            Ok(()) => remove(&folder).await,
            Err(damage) => tracing::error!(%damage, "the spool is damaged and cannot be read any further"),
        }
    }
}

/// Returns when the writer has ended and all of it is confirmed, or when nothing more can be read.
async fn forward_own(mut own: OwnSegment, adopter: &mut Adopter, window: &mut Window) -> Result<(), Damage> {
    // The forwarder's own sender must not keep the writer alive after everyone else is gone.
    let commands = own.commands.downgrade();
    drop(own.commands);
    let mut reader = own.reader;
    let mut confirmed = 0;
    let mut patience = Backoff::default();
    let mut adopting = tokio::time::interval(ADOPT_EVERY);
    adopting.reset();
    let (mut must_adopt, mut has_ended) = (false, false);
    let mut is_next = None::<Damage>;
    turn_to_own(window, own.boot, confirmed).await;
    loop {
        window.pause().await;
        window.send_again().await;
        if must_adopt && window.is_empty() {
            adopter.drain_abandoned(window).await;
            turn_to_own(window, own.boot, confirmed).await;
            must_adopt = false;
        }
        if window.is_empty()
            && let Some(damage) = is_next.take()
            && damage.last_seq == confirmed
        {
            confirmed = damage.next_seq().ok_or(damage)? - 1;
            tell_damage(damage, &own.folder, &adopter.teller).await;
            window.begin(own.boot, confirmed);
        }
        // What abandoned folders hold is older, so that it goes first, as soon as nothing is on its way.
        let may_send = window.has_room() && !must_adopt && is_next.is_none();
        if may_send && *own.writes.borrow_and_update() > window.sent() {
            let (returned, batch) = read(reader, window.sent()).await;
            reader = returned;
            match batch {
                Ok(batch) => {
                    patience.reset();
                    window.send(batch.into_iter().map(Numbered::from)).await;
                }
                Err(ReadError::Damaged(damage)) => is_next = Some(damage),
                Err(ReadError::Storage(error)) => {
                    tracing::error!(%error, "the spool cannot be read");
                    patience.wait().await;
                }
            }
            continue;
        }
        if has_ended && window.is_empty() && is_next.is_none() {
            return Ok(());
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

/// Goes on with this boot's own events after those of boots that are gone.
async fn turn_to_own(window: &mut Window, boot: Uuid, confirmed: u64) {
    window.begin(boot, confirmed);
    window.remind().await;
}

/// Tells of events that are lost, while those after them go on.
async fn tell_damage(damage: Damage, folder: &Path, teller: &Teller) {
    tracing::error!(%damage, "the spool is damaged; the events after it are forwarded");
    if let Err(error) = teller.tell(damage.facts(None, folder)).await {
        tracing::error!(%error, "a damage of the spool could not be told");
    }
}

/// Reads off the runtime's threads.
async fn read(reader: Store, after: u64) -> (Store, Result<Vec<Record>, ReadError>) {
    blocking(move || {
        let batch = reader.read_after(after, BATCH_MAX);
        (reader, batch)
    })
    .await
}

async fn remove(folder: &Path) {
    let folder = folder.to_owned();
    let removed = blocking(move || match Segment::adopt(&folder)? {
        Adopted::Segment(mut segment, _) => {
            // What the writer could not tell any more, the next start forwards.
            if segment.tell_intents().unwrap_or(true) {
                return Ok(());
            }
            Ok(segment.close()?.remove()?)
        }
        Adopted::Empty(lock) => Ok(lock.remove()?),
        Adopted::Held | Adopted::Damaged(..) => Ok::<(), SpoolError>(()),
    });
    if let Err(error) = removed.await {
        tracing::warn!(%error, "an empty spool folder could not be removed");
    }
}
