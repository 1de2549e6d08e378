//! What a spool tells of itself, among its own events.

use tokio::sync::mpsc;

use super::{Command, SpoolError, hand_over};
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
        let draft = Draft::new(self.clock.now(), facts);
        let commands = self.commands.upgrade().ok_or(SpoolError::Closed)?;
        let handed_over = hand_over(&commands, &draft, true).await?;
        drop(commands);
        handed_over.written().await
    }
}
