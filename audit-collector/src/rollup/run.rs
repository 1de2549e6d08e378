//! The leader's loop, which every collector runs and one at a time leads.

use std::time::Duration;

use shared::database::{DatabaseError, Task};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use tokio::time::timeout;

use super::store::add_batches;
use crate::event_log::EventLog;

/// Adding to the counts. The number is "gatelog" in ASCII, and 4; a leader that does nothing for so long is frozen.
const LEADING: Task = Task {
    lock: 0x6761_7465_6c6f_6704,
    frozen_after: Some("10s"),
};

/// How often the leader looks, and the others try to become it. What it has not added is counted from rows meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// No step of the leader takes this long unless its connection is dead.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);

/// Leads, or waits to lead, until `stop`.
pub async fn run(log: EventLog, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut failing = false;
    while let Err(error) = lead(&log, &stop, &mut failing).await {
        if failing {
            tracing::debug!(%error, "the counts still cannot be kept");
        } else {
            tracing::warn!(%error, "the counts cannot be kept; trying again");
            backoff.reset();
        }
        failing = true;
        tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
    }
}

/// Adds all that is in order, if no other process does.
pub async fn catch_up(log: &EventLog) -> Result<(), DatabaseError> {
    let mut hold = log.database().connect_for_hold(LEADING).await?;
    if hold.try_take().await? {
        while add_batches(&mut hold).await? {}
    }
    Ok(())
}

async fn lead(log: &EventLog, stop: &CancellationToken, failing: &mut bool) -> Result<(), DatabaseError> {
    let mut hold = log.database().connect_for_hold(LEADING).await?;
    let mut is_leader = false;
    while !stop.is_cancelled() {
        is_leader = is_leader || step(log, hold.try_take()).await?;
        while is_leader && !stop.is_cancelled() && step(log, add_batches(&mut hold)).await? {}
        *failing = false;
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(LOOK_EVERY) => {} }
    }
    Ok(())
}

/// One step, cut off only where it waits for a server: a `BEGIN` that is cut off on SQLite would block the writer.
async fn step<T>(
    log: &EventLog,
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    if !log.database().is_postgres() {
        return work.await;
    }
    timeout(STEP_TIMEOUT, work)
        .await
        .unwrap_or(Err(DatabaseError::TimedOut))
}
