//! The loop: gather a batch while the one before is stored, and acknowledge in order what is.
//!
//! A database that is away is nobody's fault but its own: what was received is kept unacknowledged and tried again, and
//! nothing more is received meanwhile. Nothing is ever sent back to the queue.

use std::panic::resume_unwind;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{ConsumeError, Consumer, Delivery, Receipt};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::keep::{Keeper, Stopped};

/// Transactions at a time on a server, where some wait for its disk while another uses its processor. With two, a full queue was drained at
/// 18,768 to 20,958 events a second, with four at 22,333 to 24,319, and with six no faster (docs/performance.md).
const STORES_MAX: usize = 4;

/// The same on SQLite, which has one writer.
const STORES_MAX_SQLITE: usize = 1;

/// How long intake waits for what is on its way when it was told to stop.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// How long it goes on at most, if there is always more.
const LAST_LOOKS_MAX: Duration = Duration::from_secs(2);

/// How intake gathers batches.
#[derive(Clone, Copy, Debug)]
pub struct Ingest {
    /// Events in a batch at most.
    pub batch_max: usize,
    /// How long a batch waits for more once it has its first event.
    pub linger: Duration,
    /// How often a delivery may have come before. After that it is kept as a dead letter without a look at what it is.
    pub returned_max: u32,
}

impl Ingest {
    /// For deliveries that collectors died of: each is stored by itself, so that none takes others along, and one that goes on
    /// killing is set apart as it came.
    pub const ONE_BY_ONE: Self = Self {
        batch_max: 1,
        linger: Duration::ZERO,
        returned_max: 3,
    };
}

type Stored = Result<Result<Vec<Receipt>, Stopped>, JoinError>;

/// What was received and is not acknowledged.
struct Intake {
    keeper: Keeper,
    settings: Ingest,
    stop: CancellationToken,
    gathered: Batch,
    being_stored: FuturesOrdered<JoinHandle<Result<Vec<Receipt>, Stopped>>>,
    stores_max: usize,
    trouble: Trouble,
}

/// Whether receiving fails at the moment, and the patience with it.
#[derive(Default)]
struct Trouble {
    backoff: Backoff,
    is_known: bool,
}

/// Stores what `consumer` receives until `stop`; what was received is stored first, and what is already on its way, such as
/// this collector's own last event, is taken as well.
pub async fn run(mut consumer: Consumer, keeper: Keeper, settings: Ingest, stop: CancellationToken) {
    let stores_max = if keeper.log.database().is_postgres() {
        STORES_MAX
    } else {
        STORES_MAX_SQLITE
    };
    let mut intake = Intake {
        keeper,
        settings,
        stop,
        gathered: Batch::default(),
        being_stored: FuturesOrdered::new(),
        stores_max,
        trouble: Trouble::default(),
    };
    intake.take_in(&mut consumer).await;
    intake.finish(&mut consumer).await;
}

impl Intake {
    /// Returns when it was told to stop and nothing comes any more.
    async fn take_in(&mut self, consumer: &mut Consumer) {
        let mut stop_asked = None;
        loop {
            if self.stop.is_cancelled()
                && stop_asked.get_or_insert_with(Instant::now).elapsed() > LAST_LOOKS_MAX
            {
                return;
            }
            let due = self
                .gathered
                .due(self.settings)
                .filter(|_| self.being_stored.len() < self.stores_max);
            if due.is_some_and(|due| due <= Instant::now()) {
                self.begin_to_store();
                continue;
            }
            let room = self.gathered.room(self.settings);
            tokio::select! {
                // What is acknowledged first makes room at the broker.
                biased;
                Some(stored) = self.being_stored.next(), if !self.being_stored.is_empty() => {
                    if !acknowledge(consumer, stored).await {
                        return;
                    }
                }
                received = consumer.receive(room, Duration::ZERO), if room > 0 => {
                    if !self.take(received).await {
                        return;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = last_look(&self.stop) => return,
            }
        }
    }

    /// Stores what is left.
    async fn finish(&mut self, consumer: &mut Consumer) {
        if self.gathered.due(self.settings).is_some() {
            self.begin_to_store();
        }
        while let Some(stored) = self.being_stored.next().await {
            acknowledge(consumer, stored).await;
        }
    }

    /// Stores what is gathered, in a task of its own so that it uses another processor than receiving does.
    fn begin_to_store(&mut self) {
        let batch = std::mem::take(&mut self.gathered);
        let storing = self.keeper.clone().store(batch, self.stop.clone());
        self.being_stored.push_back(tokio::spawn(storing));
    }

    /// Takes what was received, or waits a little if it could not be; whether to go on.
    async fn take(&mut self, received: Result<Vec<Delivery>, ConsumeError>) -> bool {
        let error = match received {
            Ok(deliveries) => {
                self.trouble = Trouble::default();
                self.gathered.take(deliveries, self.settings, Instant::now());
                return true;
            }
            Err(error) => error,
        };
        if std::mem::replace(&mut self.trouble.is_known, true) {
            tracing::debug!(%error, "events still cannot be received");
        } else {
            tracing::warn!(%error, "events cannot be received; trying again");
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = self.trouble.backoff.wait() => true,
        }
    }
}

/// Acknowledges what is stored; `false` if it was not stored before the order to stop.
async fn acknowledge(consumer: &mut Consumer, stored: Stored) -> bool {
    let receipts = match stored {
        Ok(Ok(receipts)) => receipts,
        Ok(Err(Stopped)) => return false,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => return false,
        },
    };
    if let Err(error) = consumer.acknowledge(receipts).await {
        tracing::debug!(%error, "a stored batch was not acknowledged; its duplicates will be ignored");
    }
    true
}

/// Ends when nothing has come for a moment after the order to stop.
async fn last_look(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_LOOK).await;
}
