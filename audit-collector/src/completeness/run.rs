//! The loop that counts the log, which every collector runs and one at a time leads.

use std::collections::HashSet;
use std::time::Duration;

use shared::clock::SharedClock;
use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{Spool, SpoolError};
use tokio::time::timeout;

use super::ledger::Ledger;
use super::notice::Notice;
use super::store;
use crate::event_log::{EventLog, Positioned};

/// Counting the log. The number is "gatelog" in ASCII, and 2; who does nothing for so long is frozen.
const COUNTING: Task = Task {
    lock: 0x6761_7465_6c6f_6702,
    frozen_after: Some("30s"),
};

/// Events in one step.
const STEP_MAX: usize = 2_000;

/// How often the others try to become the leader.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How long one step may take before its connection is given up.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the connection may lie idle: less than what makes its server take us for frozen.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// What counting needs beside the log.
#[derive(Clone, Debug)]
pub struct Counting {
    /// Where findings are told.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
    /// How long a number may be missing before it is told: it may be held by another collector.
    pub gap_after: Duration,
}

/// Why counting stopped; it is begun again on a fresh connection, from what was kept.
#[derive(Debug, thiserror::Error)]
enum CountError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("a finding cannot be told: {0}")]
    Untold(#[from] SpoolError),
}

/// Counts, or waits to count, until `stop`.
pub async fn run(log: EventLog, counting: Counting, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut failing = false;
    while let Err(error) = lead(&log, &counting, &stop, &mut failing).await {
        if failing {
            tracing::debug!(%error, "the log still cannot be counted");
        } else {
            tracing::warn!(%error, "the log cannot be counted; trying again");
            backoff.reset();
        }
        failing = true;
        tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
    }
}

/// Returns when it is told to stop.
async fn lead(
    log: &EventLog,
    counting: &Counting,
    stop: &CancellationToken,
    failing: &mut bool,
) -> Result<(), CountError> {
    let mut growth = log.growth();
    let mut hold = log.database().connect_for_hold(COUNTING).await?;
    while !step(log, async { Ok(hold.try_take().await?) }).await? {
        *failing = false;
        tokio::select! { () = stop.cancelled() => return Ok(()), () = tokio::time::sleep(TRY_EVERY) => {} }
    }
    let mut ledger = step(log, load(&mut hold)).await?;
    let mut touched = tokio::time::Instant::now();
    while !stop.is_cancelled() {
        let events = log.read_positions(ledger.progress.position, STEP_MAX).await?;
        let is_quiet = events.is_empty() && !store::has_dead_numbers(log.database()).await?;
        if !is_quiet || ledger.waits_for_gaps() || touched.elapsed() > IDLE_MAX {
            step(log, count(&mut hold, &mut ledger, &events, counting)).await?;
            touched = tokio::time::Instant::now();
        }
        *failing = false;
        if is_quiet {
            tokio::select! { () = stop.cancelled() => {} () = growth.awaited() => {} }
        }
    }
    Ok(())
}

async fn load(hold: &mut Hold) -> Result<Ledger, CountError> {
    let mut tx = hold.begin().await?;
    let ledger = store::load(&mut tx).await?;
    tx.commit().await?;
    Ok(ledger)
}

/// Counts what came and tells what was found; what was told is kept only if it was told.
async fn count(
    hold: &mut Hold,
    ledger: &mut Ledger,
    events: &[Positioned],
    counting: &Counting,
) -> Result<(), CountError> {
    let mut tx = hold.begin().await?;
    let dead = store::dead_numbers(&mut tx).await?;
    let named = events
        .iter()
        .filter_map(|positioned| Some(&positioned.event.as_ref()?.source));
    let sources: HashSet<_> = named.chain(dead.iter().map(|number| &number.source)).collect();
    store::load_sources(&mut tx, ledger, sources).await?;
    let mut notices: Vec<Notice> = Vec::new();
    // What dead letters fill first: the numbers are those of deliveries that were stored at the same time.
    for number in &dead {
        notices.extend(ledger.take_dead(number));
    }
    for positioned in events {
        notices.extend(ledger.take(positioned));
    }
    notices.extend(ledger.tell_gaps(counting.clock.now().minus(counting.gap_after)));
    store::save(&mut tx, ledger, &dead).await?;
    for notice in notices {
        counting.spool.append(notice.draft(counting.gap_after)).await?;
    }
    tx.commit().await?;
    ledger.settle();
    Ok(())
}

/// One step, cut off only where it waits for a server: a `BEGIN` that is cut off on SQLite would block the writer.
async fn step<T>(log: &EventLog, work: impl Future<Output = Result<T, CountError>>) -> Result<T, CountError> {
    if !log.database().is_postgres() {
        return work.await;
    }
    timeout(STEP_TIMEOUT, work)
        .await
        .unwrap_or(Err(CountError::Database(DatabaseError::TimedOut)))
}
