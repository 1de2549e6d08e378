//! Adds the log to the counts, which every collector runs and one at a time leads.

use std::time::Duration;

use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::shutdown::CancellationToken;

use super::count::{count, sketch};
use super::store::{self, Progress};
use crate::event_log::{EventLog, Follower, Following, Page};
use crate::leading;

/// Adds, or waits to, until `stop`. What is not added yet is counted from rows meanwhile.
pub async fn run(log: EventLog, stop: CancellationToken) {
    let database = log.database().clone();
    let follower = Adding::default();
    leading::run(Following { log, follower }, database, stop).await;
}

/// Adds all that is in order, if no other process does.
pub async fn catch_up(log: &EventLog) -> Result<(), DatabaseError> {
    let mut hold = log.database().connect_for_hold(Adding::TASK).await?;
    if !hold.try_take().await? {
        return Ok(());
    }
    let mut adding = Adding::default();
    let mut position = adding.begin(&mut hold).await?;
    loop {
        let page = log.read_batches(position, Adding::STEP_EVENTS).await?;
        if page.events.is_empty() {
            return Ok(());
        }
        position = page.next;
        adding.take(&mut hold, page).await?;
    }
}

#[derive(Debug, Default)]
struct Adding {
    progress: Progress,
}

impl Follower for Adding {
    type Error = DatabaseError;

    /// The number is "gatelog" in ASCII, and 4; a leader that does nothing for so long is frozen.
    const TASK: Task = Task {
        lock: 0x6761_7465_6c6f_6704,
        frozen_after: Some("10s"),
    };

    const FAILURE: &'static str = "the counts cannot be kept";

    /// Few enough that intake, which shares SQLite's only writer, does not wait for long.
    const STEP_EVENTS: usize = 4_000;

    const STEP_TIMEOUT: Duration = Duration::from_secs(15);

    async fn begin(&mut self, hold: &mut Hold) -> Result<u64, DatabaseError> {
        self.progress = store::progress(hold).await?;
        Ok(self.progress.sketched)
    }

    async fn take(&mut self, hold: &mut Hold, page: Page) -> Result<(), DatabaseError> {
        let before = self.progress;
        // What was counted before there were sketches is here for them alone.
        let counted = page.events.partition_point(|one| one.position < before.counted);
        let fresh = page.events.get(counted..).unwrap_or_default();
        let after = Progress {
            counted: before.counted.max(page.next),
            sketched: page.next,
        };
        store::add(hold, (&count(fresh), &sketch(&page.events)), (before, after)).await?;
        self.progress = after;
        Ok(())
    }
}
