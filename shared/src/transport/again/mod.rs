//! What the log lacks, and the events that were confirmed last, of which it can be sent again.
//!
//! A broker confirms what it has, and can lose it all the same: a queue that is deleted or purged takes along what is in it, and
//! RabbitMQ confirms what is on its way to a queue that is being deleted. The collector tells what numbers are missing.

mod disk;
mod kept;
mod left;
mod line;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

pub(super) use kept::Kept;

use super::Listener;

/// Stretches that one word may name.
pub const STRETCHES_MAX: usize = 256;

/// Failures in a row after which it is news that nothing is heard: a producer may be up before what it listens to.
const FAILURES_TOLD: u32 = 4;

/// How long after a failure the next one is in a row with it.
const IN_A_ROW: Duration = Duration::from_mins(1);

/// The word of what the log lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The numbers, of at most [`STRETCHES_MAX`] stretches.
    pub stretches: Vec<LackingStretch>,
}

/// Numbers of one boot that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LackingStretch {
    /// The boot that gave them.
    pub boot: Uuid,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Lacking {
    fn names(&self, boot: Uuid, seq: u64) -> bool {
        let mut stretches = self.stretches.iter().take(STRETCHES_MAX);
        stretches.any(|lacking| lacking.boot == boot && (lacking.first..=lacking.last).contains(&seq))
    }
}

/// What is heard of what the log lacks.
#[derive(Debug)]
pub struct Asked {
    heard: mpsc::Receiver<Lacking>,
    /// Ends with this.
    _listening: AbortOnDropHandle<()>,
}

impl Asked {
    pub(super) fn listen(listener: Listener) -> Self {
        // One at a time: what is still missing is told again.
        let (hearing, heard) = mpsc::channel(1);
        Self {
            heard,
            _listening: AbortOnDropHandle::new(tokio::spawn(listen(listener, hearing))),
        }
    }

    /// What was heard since, if anything.
    pub(super) fn take(&mut self) -> Option<Lacking> {
        self.heard.try_recv().ok()
    }
}

async fn listen(listener: Listener, hearing: mpsc::Sender<Lacking>) {
    let mut words = std::pin::pin!(listener.words());
    let (mut failures, mut failed_at) = (0_u32, Instant::now());
    while let Some(word) = words.next().await {
        let body = match word {
            Ok(body) => body,
            Err(error) => {
                if failed_at.elapsed() >= IN_A_ROW {
                    failures = 0;
                }
                failures = failures.saturating_add(1);
                failed_at = Instant::now();
                if failures == FAILURES_TOLD {
                    tracing::warn!(%error, "it is not heard what the log lacks; what the broker loses is not sent again");
                }
                continue;
            }
        };
        match serde_json::from_slice(&body) {
            Ok(lacking) => drop(hearing.try_send(lacking)),
            Err(error) => tracing::warn!(%error, "what the log lacks cannot be read"),
        }
    }
}
