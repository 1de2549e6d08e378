//! Counts the log, which every collector runs and one at a time leads.

use std::collections::HashSet;
use std::time::Duration;

use shared::clock::{SharedClock, UtcMicros};
use shared::database::{Database, DatabaseError, Hold, Task};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{Spool, SpoolError};
use shared::transport::{Announcer, Transport, Word};
use tokio::time::Instant;

use super::ledger::Ledger;
use super::notice::Notice;
use super::store;
use crate::event_log::{EventLog, Follower, Following, Page, Positioned};
use crate::leading::{self, within};

/// How often it is looked for gaps while nothing comes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long a number may be missing before its producer is asked for it: others hold what they are about to store.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How often it is asked for, and for how long: producers hold what was confirmed last.
const ASK_EVERY: Duration = Duration::from_secs(10);
const ASK_FOR: Duration = Duration::from_mins(10);

/// What counting needs beside the log.
#[derive(Clone, Debug)]
pub struct Counting {
    /// Where producers are asked for what is missing.
    pub transport: Transport,
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
    let database = log.database().clone();
    let follower = Counter {
        database: database.clone(),
        announcer: counting.transport.announcer(Word::Lacking),
        asked_at: UtcMicros::from_micros(0),
        counting,
        ledger: Ledger::default(),
        touched: Instant::now(),
    };
    leading::run(Following { log, follower }, database, stop).await;
}

/// One that counts.
struct Counter {
    database: Database,
    counting: Counting,
    announcer: Announcer,
    asked_at: UtcMicros,
    ledger: Ledger,
    touched: Instant,
}

impl Follower for Counter {
    type Error = CountError;

    /// The number is "gatelog" in ASCII, and 2; who does nothing for so long is frozen.
    const TASK: Task = Task {
        lock: 0x6761_7465_6c6f_6702,
        frozen_after: Some("30s"),
    };

    const FAILURE: &'static str = "the log cannot be counted";

    const STEP_EVENTS: usize = 8_000;

    const STEP_TIMEOUT: Duration = Duration::from_secs(30);

    async fn begin(&mut self, hold: &mut Hold) -> Result<u64, CountError> {
        self.ledger = within(&self.database, Self::STEP_TIMEOUT, load(hold)).await?;
        Ok(self.ledger.progress.position)
    }

    async fn take(&mut self, hold: &mut Hold, page: Page) -> Result<(), CountError> {
        self.count(hold, &page.events).await
    }

    async fn rest(&mut self, hold: &mut Hold) -> Result<(), CountError> {
        let is_due = self.touched.elapsed() > LOOK_EVERY || self.ledger.waits_for_gaps();
        if is_due || store::has_dead_numbers(&self.database).await? {
            self.count(hold, &[]).await?;
        }
        Ok(())
    }
}

async fn load(hold: &mut Hold) -> Result<Ledger, CountError> {
    let mut tx = hold.begin().await?;
    let ledger = store::load(&mut tx).await?;
    tx.commit().await?;
    Ok(ledger)
}

impl Counter {
    /// Counts what came and tells what was found; what was told is kept only if it was told.
    async fn count(&mut self, hold: &mut Hold, events: &[Positioned]) -> Result<(), CountError> {
        let Self { ledger, counting, .. } = self;
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
        self.touched = Instant::now();
        self.ask().await;
        Ok(())
    }

    /// Asks producers for what has been missing for a while. It may fail: it is asked again.
    async fn ask(&mut self) {
        let now = self.counting.clock.now();
        if now < self.asked_at.plus(ASK_EVERY) {
            return;
        }
        let lacking = self.ledger.lacking(&(now.minus(ASK_FOR)..=now.minus(ASK_AFTER)));
        if lacking.stretches.is_empty() {
            return;
        }
        self.asked_at = now;
        // Numbers and ids: it cannot fail to be written.
        let word = serde_json::to_vec(&lacking).unwrap_or_default();
        if let Err(error) = self.announcer.announce(word).await {
            tracing::debug!(%error, "producers could not be asked for what is missing");
        }
    }
}
