//! The loop of what follows the log: one collector at a time leads it, takes each event once and in order, and keeps how far
//! it has come in the transaction that stores what it made of them.

use std::time::Duration;

use shared::database::{DatabaseError, Hold, Task};
use tokio::time::{Instant, sleep_until};

use super::{EventLog, Page};
use crate::leading::{Lead, Leader, within};

/// Under load a step comes no sooner than this after the one before, so that what comes meanwhile is taken together: each step is a
/// transaction of its own, and writes what it keeps of a source, a user or an hour once.
const PACE: Duration = Duration::from_millis(500);

/// Events of a step from which on more of them are to be expected.
const MANY: usize = 1_000;

/// Something that follows the log.
pub(crate) trait Follower: Send {
    /// Why it stopped.
    type Error: std::fmt::Display + From<DatabaseError> + Send;

    /// The lock of the one that leads.
    const TASK: Task;

    /// What is said when it fails, as in "the log cannot be counted".
    const FAILURE: &'static str;

    /// Events in one step, unless a single batch has more.
    const STEP_EVENTS: usize;

    /// How long one step may take before its connection is given up.
    const STEP_TIMEOUT: Duration;

    /// Takes up what was kept; returns the position of the next event.
    fn begin(&mut self, hold: &mut Hold) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// Takes the next batches and stores what it made of them, and how far it has come.
    fn take(&mut self, hold: &mut Hold, page: Page) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Does what is to be done while nothing comes, several times a second.
    fn rest(&mut self, hold: &mut Hold) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = hold;
        std::future::ready(Ok(()))
    }

    /// Whether what it works by has changed, so that it must begin again.
    fn is_outdated(&self) -> bool {
        false
    }

    /// It leads no more.
    fn lost(&self) {}
}

/// A follower at its place in the log.
pub(crate) struct Following<F> {
    pub(crate) log: EventLog,
    pub(crate) follower: F,
}

impl<F: Follower> Leader for Following<F> {
    type Error = F::Error;

    fn task(&self) -> Task {
        F::TASK
    }

    fn failure(&self) -> &'static str {
        F::FAILURE
    }

    async fn lead(&mut self, lead: &mut Lead) -> Result<(), Self::Error> {
        while !lead.stop.is_cancelled() {
            let position = self.follower.begin(&mut lead.hold).await?;
            self.follow(position, lead).await?;
        }
        Ok(())
    }

    fn lost(&self) {
        self.follower.lost();
    }
}

impl<F: Follower> Following<F> {
    /// Returns when it is told to stop or must begin again.
    async fn follow(&mut self, mut position: u64, lead: &mut Lead) -> Result<(), F::Error> {
        let Self { log, follower } = self;
        let mut growth = log.growth();
        let mut paced = None;
        while !lead.stop.is_cancelled() && !follower.is_outdated() {
            if let Some(until) = paced.take() {
                lead.wait(sleep_until(until)).await?;
            }
            let begun = Instant::now();
            let page = log.read_batches(position, F::STEP_EVENTS).await?;
            let is_over = page.events.is_empty();
            // A full page has others behind it, and they have waited long enough.
            if (MANY..F::STEP_EVENTS).contains(&page.events.len()) {
                paced = Some(begun + PACE);
            }
            let hold = &mut lead.hold;
            let step = async {
                if is_over {
                    return follower.rest(hold).await;
                }
                position = page.next;
                follower.take(hold, page).await
            };
            within(log.database(), F::STEP_TIMEOUT, step).await?;
            lead.is_well();
            if is_over {
                lead.wait(growth.awaited()).await?;
            }
        }
        Ok(())
    }
}
