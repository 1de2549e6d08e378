//! Drains the folders of boots that are gone, under their own source and numbers.

use std::path::PathBuf;

use uuid::Uuid;

use super::SpoolError;
use super::damage::Damage;
use super::folder::{Folder, State, folders};
use super::left::Left;
use super::segment::{Adopted, Lock, Segment};
use super::store::ReadError;
use super::tell::Teller;
use crate::runtime::blocking;
use crate::transport::{BATCH_MAX, Numbered, Window};

/// Drains what boots of a service have left in a folder.
pub(super) struct Adopter {
    pub(super) dir: PathBuf,
    pub(super) service: &'static str,
    pub(super) teller: Teller,
    pub(super) left: Left,
}

impl Adopter {
    /// Adopts and drains every folder whose process is gone. One that cannot be read to its end is told of and set aside; one that
    /// cannot be read at the moment is told of and left as it is.
    pub(super) async fn drain_abandoned(&mut self, window: &mut Window) {
        let Some(folders) = self.look().await else { return };
        for folder in folders.into_iter().filter(|folder| folder.state == State::Made) {
            let shown = folder.path.display().to_string();
            match adopt_and_drain(folder.clone(), window, &self.teller).await {
                Ok(events) => {
                    self.left.forget(&folder.path);
                    if events > 0 {
                        tracing::info!(folder = shown, events, "forwarded what an earlier boot left");
                    }
                }
                Err(error) => {
                    tracing::error!(folder = shown, %error, "an earlier boot's spool cannot be read");
                }
            }
        }
    }

    /// The folders there, which are also counted; `None` if they cannot be listed.
    async fn look(&mut self) -> Option<Vec<Folder>> {
        let (dir, service) = (self.dir.clone(), self.service);
        let mut left = self.left.take();
        let (left, listed) = blocking(move || {
            left.look_again(&dir, service);
            (left, folders(&dir, service))
        })
        .await;
        self.left = left;
        listed.ok()
    }
}

/// Returns how many events were forwarded.
async fn adopt_and_drain(folder: Folder, window: &mut Window, teller: &Teller) -> Result<u64, SpoolError> {
    let Folder { path, boot, .. } = folder;
    match blocking(move || Segment::adopt(&path)).await? {
        Adopted::Held => Ok(0),
        Adopted::Empty(lock) => {
            blocking(move || lock.remove()).await?;
            Ok(0)
        }
        Adopted::Damaged(lock, damage) => {
            set_aside(lock, damage, teller).await?;
            Ok(0)
        }
        Adopted::Segment(segment, torn) => {
            let Drained {
                segment,
                events,
                damage,
            } = drain(segment, boot, window).await?;
            let lock = blocking(move || segment.close()).await?;
            match damage.into_iter().chain(torn).reduce(Damage::and) {
                None => blocking(move || lock.remove()).await?,
                Some(damage) => set_aside(lock, damage, teller).await?,
            }
            Ok(events)
        }
    }
}

/// A segment of which all that can be read is confirmed.
struct Drained {
    segment: Segment,
    events: u64,
    damage: Option<Damage>,
}

async fn drain(mut segment: Segment, boot: Uuid, window: &mut Window) -> Result<Drained, SpoolError> {
    let (mut damage, mut lost) = (None::<Damage>, 0);
    let (mut all_sent, mut is_next) = (false, None::<Damage>);
    window.begin(boot, segment.confirmed);
    loop {
        window.pause().await;
        window.send_again().await;
        if window.has_room() && !all_sent && is_next.is_none() {
            let after = window.sent();
            let read;
            (segment, read) = ask(segment, move |segment| segment.store.read_on(after, BATCH_MAX)).await;
            match read {
                Ok(batch) => {
                    all_sent = batch.is_empty();
                    window.send(batch.into_iter().map(Numbered::from)).await;
                }
                Err(ReadError::Damaged(found)) => is_next = Some(found),
                Err(ReadError::Storage(error)) => return Err(error.into()),
            }
            continue;
        }
        if !window.is_empty() {
            let oldest = window.oldest().await;
            all_sent &= window.settle(oldest).await.is_some();
            continue;
        }
        // All before it is confirmed, unless it is to be sent again.
        match is_next.take().filter(|found| found.last_seq == window.sent()) {
            Some(found) => {
                damage = Some(damage.map_or(found, |first| first.and(found)));
                let Some(next) = found.next_seq() else { break };
                lost += next - 1 - found.last_seq;
                window.begin(boot, next - 1);
            }
            None if all_sent => {
                // Last, since they are numbered after all others, and because room on the disk may be made before.
                let told;
                (segment, told) = ask(segment, Segment::tell_intents).await;
                match told {
                    Ok(true) => all_sent = false,
                    Ok(false) => break,
                    Err(ReadError::Damaged(found)) => {
                        damage = Some(damage.map_or(found, |first| first.and(found)));
                        break;
                    }
                    Err(ReadError::Storage(error)) => return Err(error.into()),
                }
            }
            None => {}
        }
    }
    Ok(Drained {
        events: window.sent() - segment.confirmed - lost,
        segment,
        damage,
    })
}

async fn set_aside(lock: Lock, damage: Damage, teller: &Teller) -> Result<(), SpoolError> {
    let folder = lock.folder();
    tracing::error!(folder = %folder.display(), %damage, "an earlier boot's spool is damaged; it is set aside");
    // Told first, so that nothing is set aside untold.
    teller
        .tell(damage.facts(Folder::source(folder).as_ref(), folder))
        .await?;
    Ok(blocking(move || lock.set_aside()).await?)
}

/// Asks a segment off the runtime's threads.
async fn ask<T: Send + 'static>(
    mut segment: Segment,
    question: impl FnOnce(&mut Segment) -> T + Send + 'static,
) -> (Segment, T) {
    blocking(move || {
        let answer = question(&mut segment);
        (segment, answer)
    })
    .await
}
