//! The loop of what one collector at a time does: every collector waits to lead, one leads, and begins anew after an error.

use std::fmt::Display;
use std::time::Duration;

use shared::database::{Database, DatabaseError, Hold, Task};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use tokio::time::timeout;

/// How often the others try to become the leader.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How long taking the hold may take before its connection is given up.
const TAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// What one collector at a time does.
pub(crate) trait Leader: Send {
    /// Why it stopped; it is begun again on a fresh connection, from what was kept.
    type Error: Display + From<DatabaseError> + Send;

    /// The lock that its leader holds.
    fn task(&self) -> Task;

    /// What is said of it when it fails, as in "the log cannot be counted".
    fn failure(&self) -> &'static str;

    /// Leads until it is told to stop.
    fn lead(&mut self, lead: &mut Lead) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// It leads no more, or could not begin to.
    fn lost(&self) {}
}

/// What a leader has.
#[derive(Debug)]
pub(crate) struct Lead {
    /// The hold, on whose connection everything is stored.
    pub(crate) hold: Hold,
    /// The order to stop.
    pub(crate) stop: CancellationToken,
    is_well: bool,
}

impl Lead {
    /// A step has succeeded: an error after this is news.
    pub(crate) fn is_well(&mut self) {
        self.is_well = true;
    }

    /// Waits for `reason` or the order to stop, and keeps the hold. Only what may be dropped at any moment is waited for like this, and
    /// nothing that takes longer than a few seconds.
    pub(crate) async fn wait(&mut self, reason: impl Future) -> Result<(), DatabaseError> {
        tokio::select! { () = self.stop.cancelled() => {} _ = reason => {} }
        self.hold.keep().await
    }
}

/// Leads, or waits to lead, until `stop`.
pub(crate) async fn run<L: Leader>(mut leader: L, database: Database, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut is_known = false;
    loop {
        let mut is_well = false;
        let Err(error) = take_and_lead(&mut leader, &database, &stop, &mut is_well).await else {
            return;
        };
        leader.lost();
        let failure = leader.failure();
        if is_known && !is_well {
            tracing::debug!(%error, "{failure} still");
        } else {
            tracing::warn!(%error, "{failure}; trying again");
            backoff.reset();
        }
        is_known = true;
        tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
    }
}

async fn take_and_lead<L: Leader>(
    leader: &mut L,
    database: &Database,
    stop: &CancellationToken,
    is_well: &mut bool,
) -> Result<(), L::Error> {
    let mut lead = Lead {
        hold: database.connect_for_hold(leader.task()).await?,
        stop: stop.clone(),
        is_well: false,
    };
    while !within(database, TAKE_TIMEOUT, lead.hold.try_take()).await? {
        *is_well = true;
        lead.wait(tokio::time::sleep(TRY_EVERY)).await?;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    let led = leader.lead(&mut lead).await;
    *is_well |= lead.is_well;
    led
}

/// One step, cut off only where it waits for a server: a `BEGIN` that is cut off on SQLite would block the writer.
pub(crate) async fn within<T, E: From<DatabaseError>>(
    database: &Database,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if !database.is_postgres() {
        return work.await;
    }
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(DatabaseError::TimedOut.into()))
}
