//! What a spool tells of itself, among its own events.

use tokio::sync::{mpsc, oneshot};

use super::{Command, SpoolError, Unnumbered};
use crate::clock::SharedClock;
use crate::event::{Draft, Facts};

/// Writes events of the spool itself. It keeps no writer alive.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    commands: mpsc::WeakSender<Command>,
    clock: SharedClock,
}

impl Teller {
    pub(super) fn new(commands: &mpsc::Sender<Command>, clock: SharedClock) -> Self {
        Self {
            commands: commands.downgrade(),
            clock,
        }
    }

    /// Writes an event for which there is always room, since it is about what is missing.
    pub(super) async fn tell(&self, facts: Facts) -> Result<(), SpoolError> {
        let (done, written) = oneshot::channel();
        let command = Command::Append {
            event: Unnumbered::of(&Draft::new(self.clock.now(), facts))?,
            is_reserved: true,
            done,
        };
        let commands = self.commands.upgrade().ok_or(SpoolError::Closed)?;
        commands.send(command).await.map_err(|_| SpoolError::Closed)?;
        drop(commands);
        written.await.map_err(|_| SpoolError::Closed)?
    }
}
