//! Adds the log to the counts, which every collector runs and one at a time leads.

use std::time::{Duration, Instant};

use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::shutdown::CancellationToken;

use super::kind::Kinds;
use super::pending::Pending;
use super::store;
use crate::event_log::{EventLog, Follower, Following, Page};
use crate::leading;

/// Events that are added together at most, unless a page has more: a sketch is read and written once for all of them.
const TOGETHER_MAX: usize = 16_000;

/// How long an event waits for others to be added with it. Until then it is counted from its row.
const TOGETHER_WITHIN: Duration = Duration::from_secs(2);

/// Kinds that are remembered. There are hundreds; somebody who makes up thousands is to fill no memory.
const KINDS_MAX: usize = 20_000;

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
            return adding.add(&mut hold).await;
        }
        position = page.next;
        adding.take(&mut hold, page).await?;
    }
}

#[derive(Debug, Default)]
struct Adding {
    /// The position of the next event to be added.
    position: u64,
    /// That of the next one to be read.
    read: u64,
    kinds: Kinds,
    pending: Pending,
    /// Since when something is pending.
    since: Option<Instant>,
}

impl Adding {
    async fn add(&mut self, hold: &mut Hold) -> Result<(), DatabaseError> {
        if self.read > self.position {
            let added = self.pending.take(&self.kinds);
            store::add(hold, (&added, &mut self.kinds), (self.position, self.read)).await?;
            self.position = self.read;
        }
        if self.kinds.len() > KINDS_MAX {
            self.kinds = Kinds::default();
        }
        self.since = None;
        Ok(())
    }

    async fn add_if_due(&mut self, hold: &mut Hold) -> Result<(), DatabaseError> {
        let is_old = self.since.is_some_and(|since| since.elapsed() >= TOGETHER_WITHIN);
        if is_old || self.pending.events() >= TOGETHER_MAX {
            self.add(hold).await?;
        }
        Ok(())
    }
}

impl Follower for Adding {
    type Error = DatabaseError;

    /// The number is "gatelog" in ASCII, and 4; a leader that does nothing for so long is frozen.
    const TASK: Task = Task {
        lock: 0x6761_7465_6c6f_6704,
        frozen_after: Some("10s"),
    };

    const FAILURE: &'static str = "the counts cannot be kept";

    const STEP_EVENTS: usize = 4_000;

    const STEP_TIMEOUT: Duration = Duration::from_secs(15);

    async fn begin(&mut self, hold: &mut Hold) -> Result<u64, DatabaseError> {
        let position = store::position(hold).await?;
        *self = Self {
            position,
            read: position,
            ..Self::default()
        };
        Ok(position)
    }

    async fn take(&mut self, hold: &mut Hold, page: Page) -> Result<(), DatabaseError> {
        self.pending.add(&page.events, &mut self.kinds);
        self.read = page.next;
        self.since.get_or_insert_with(Instant::now);
        self.add_if_due(hold).await
    }

    async fn rest(&mut self, hold: &mut Hold) -> Result<(), DatabaseError> {
        self.add_if_due(hold).await
    }
}
