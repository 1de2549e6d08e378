//! The leader's loop, which every collector runs and one at a time leads.

use std::time::Duration;

use shared::database::{DatabaseError, Task};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use tokio::time::timeout;

use super::store::position_batches;
use crate::event_log::EventLog;

/// Leading the log. The number is "gatelog" in ASCII, and 1; a leader that does nothing for so long is frozen.
const LEADING: Task = Task {
    lock: 0x6761_7465_6c6f_6701,
    frozen_after: Some("10s"),
};

/// How long the leader waits for word of a new batch before it looks: other collectors do not tell it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The same where there are no other collectors.
const LOOK_EVERY_ALONE: Duration = Duration::from_secs(1);

/// How often the others try to become the leader.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// No step of the leader takes this long unless its connection is dead.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);

/// Leads, or waits to lead, until `stop`.
pub async fn run(log: EventLog, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut failing = false;
    while let Err(error) = lead(&log, &stop, &mut failing).await {
        if failing {
            tracing::debug!(%error, "the log still cannot be put in order");
        } else {
            tracing::warn!(%error, "the log cannot be put in order; trying again");
            backoff.reset();
        }
        failing = true;
        tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
    }
}

/// Returns when it is told to stop, after a last look.
async fn lead(log: &EventLog, stop: &CancellationToken, failing: &mut bool) -> Result<(), DatabaseError> {
    let mut newest = log.newest_batch();
    let mut hold = log.database().connect_for_hold(LEADING).await?;
    while !step(log, hold.try_take()).await? {
        *failing = false;
        tokio::select! { () = stop.cancelled() => return Ok(()), () = tokio::time::sleep(TRY_EVERY) => {} }
    }
    tracing::info!("leading: this collector puts the log in order");
    let look_every = if log.database().is_postgres() {
        LOOK_EVERY
    } else {
        LOOK_EVERY_ALONE
    };
    loop {
        let stopping = stop.is_cancelled();
        while step(log, position_batches(&mut hold)).await? > 0 {
            log.tell_growth();
        }
        *failing = false;
        if stopping {
            return Ok(());
        }
        // Each is a reason to look.
        tokio::select! {
            () = stop.cancelled() => {}
            _ = newest.changed() => {}
            () = tokio::time::sleep(look_every) => {}
        }
    }
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
