//! The one relay of the outbox: numbers what was committed, publishes it, and forgets it on the broker's confirm.
//!
//! A number and the bytes that carry it are committed before they are sent, so that whatever crashes, the same number is
//! never sent with other bytes. Sending twice is harmless: the collector removes duplicates by id.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared::clock::SharedClock;
use shared::database::{Database, DatabaseError, Hold, Task};
use shared::event::wire::EncodeError;
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Transport, Window};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::number::Head;
use super::store::{self, StoreError};
use super::{Unwritable, facts_json};
use crate::SERVICE;
use crate::app::App;
use crate::metrics::EventCounts;

/// The relay's lock: "gatelog" in ASCII. Its holder beats every ten seconds, but not while the broker is away; then another
/// replica may as well wait for the broker.
const RELAY: Task = Task {
    lock: 0x0067_6174_656c_6f67,
    frozen_after: Some("60s"),
};

/// Events that are numbered, or sent, at a time.
const BATCH_MAX: usize = 256;

/// How often the source says that it is alive (DESIGN §4).
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often to look for what other replicas have committed, and whether their relay is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A relay that ran for so long was in order, so that what ended it is news.
const STEADY: Duration = Duration::from_secs(20);

/// How long one step in the database may take before its connection is given up.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);

/// Whether events leave, for `/readyz`.
#[derive(Debug, Default)]
pub(crate) struct RelayState {
    failing: AtomicBool,
}

impl RelayState {
    /// Whether the last attempt to publish succeeded, or there was none.
    pub(crate) fn is_forwarding(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
    }

    fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }
}

/// Why relaying stopped; it is begun again on a fresh connection.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("an event cannot be written: {0}")]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error("the database did not answer in time")]
    TimedOut,
    #[error("another process relays the same outbox")]
    NotAlone,
}

/// Relays until it is told to stop, and then what is left if the broker takes it.
///
/// What the broker confirms last is kept in `confirmed_dir`, for the next relay on this machine.
pub(crate) async fn run(
    app: App,
    transport: Transport,
    confirmed_dir: Option<PathBuf>,
    stop: CancellationToken,
) {
    let mut relay = Relay {
        commits: app.database.commits(),
        database: &app.database,
        clock: &app.clock,
        state: &app.relay,
        counts: &app.metrics.events,
        transport,
        confirmed_dir,
        stop,
    };
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let begun = Instant::now();
        let Err(error) = relay.run_held().await else {
            return;
        };
        if begun.elapsed() > STEADY {
            backoff.reset();
            told = false;
        }
        if told {
            tracing::debug!(%error, "the outbox still cannot be relayed");
        } else {
            tracing::warn!(%error, "the outbox cannot be relayed; trying again");
            told = true;
        }
        tokio::select! {
            () = backoff.wait() => {}
            () = relay.stop.cancelled() => return,
        }
    }
}

struct Relay<'a> {
    database: &'a Database,
    clock: &'a SharedClock,
    state: &'a RelayState,
    counts: &'a EventCounts,
    commits: watch::Receiver<u64>,
    transport: Transport,
    confirmed_dir: Option<PathBuf>,
    stop: CancellationToken,
}

impl Relay<'_> {
    /// Waits for the hold and relays; `Ok` once it was told to stop.
    async fn run_held(&mut self) -> Result<(), RelayError> {
        let mut hold = step(self.database.connect_for_hold(RELAY)).await?;
        while !step(hold.try_take()).await? {
            if self.rested().await {
                return Ok(());
            }
        }
        self.state.set_failing(false);
        let mut window = Window::new(&self.transport, SERVICE, "outbox", self.confirmed_dir.clone());
        window.begin(step(self.boot()).await?, 0);
        let mut beat_at = Instant::now() + HEARTBEAT;
        loop {
            tokio::select! {
                () = window.pause() => {}
                () = self.stop.cancelled(), if window.is_failing() => return Ok(()),
            }
            window.send_again().await;
            // Not during an outage: heartbeats that wait tell nothing.
            let beats = Instant::now() >= beat_at && self.state.is_forwarding();
            if beats {
                beat_at = Instant::now() + HEARTBEAT;
            }
            step(self.number(&mut hold, beats)).await?;
            self.send(&mut window).await?;
            if !window.is_empty() {
                // What is committed meanwhile is numbered together.
                let oldest = window.oldest().await;
                if let Some(confirmed) = window.settle(oldest).await {
                    step(forget(&mut hold, confirmed)).await?;
                }
            } else if !window.is_failing() && (self.stop.is_cancelled() || self.rested().await) {
                // Once more after the order to stop: what was committed before it should leave.
                if !step(store::has_work(self.database)).await? {
                    return Ok(());
                }
            }
            self.state.set_failing(window.is_failing());
        }
    }

    async fn boot(&self) -> Result<Uuid, StoreError> {
        let mut tx = self.database.read().await?;
        Ok(store::head(&mut tx).await?.boot)
    }

    /// Sends what has a number, as far ahead of the confirms as it may.
    async fn send(&self, window: &mut Window) -> Result<(), RelayError> {
        let mut has_more = true;
        while has_more && window.has_room() {
            let batch = step(store::numbered_after(self.database, window.sent(), BATCH_MAX)).await?;
            has_more = batch.len() == BATCH_MAX;
            window.send(batch).await;
            has_more &= !window.is_failing();
        }
        Ok(())
    }

    /// Waits for a commit or a while; whether it was told to stop.
    async fn rested(&mut self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => true,
            _ = tokio::time::timeout(LOOK_EVERY, self.commits.changed()) => false,
        }
    }

    /// Numbers what was committed since, and the source's own events when they are due.
    async fn number(&self, hold: &mut Hold, beats: bool) -> Result<(), RelayError> {
        // Asked on a reader first, so that an idle relay takes no write lock.
        if !beats && !store::has_work(self.database).await? {
            return Ok(());
        }
        let mut tx = hold.begin().await?;
        let before = store::head(&mut tx).await?;
        let mut head = before;
        let mut counted = Vec::new();
        if head.last_seq == 0 {
            self.write_own(&mut tx, &mut head, Head::boot_draft).await?;
        }
        for event in store::unnumbered(&mut tx, BATCH_MAX).await? {
            let numbered = head.number(event.draft.clone())?;
            store::set_number(&mut tx, event.position, &numbered).await?;
            counted.push(event.draft.facts);
        }
        if beats {
            self.write_own(&mut tx, &mut head, Head::heartbeat_draft).await?;
        }
        if !store::advance_head(&mut tx, &before, &head).await? {
            return Err(RelayError::NotAlone);
        }
        tx.commit().await?;
        for facts in &counted {
            self.counts.count(facts);
        }
        Ok(())
    }

    async fn write_own(
        &self,
        tx: &mut shared::database::Tx<'_>,
        head: &mut Head,
        draft: fn(&Head, shared::clock::UtcMicros) -> shared::event::Draft,
    ) -> Result<(), RelayError> {
        let draft = draft(head, self.clock.now());
        let facts = facts_json(&draft)?;
        let numbered = head.number(draft.clone())?;
        Ok(store::insert_numbered(tx, &draft, &facts, &numbered).await?)
    }
}

async fn forget(hold: &mut Hold, up_to: u64) -> Result<(), DatabaseError> {
    let mut tx = hold.begin().await?;
    store::delete_confirmed(&mut tx, up_to).await?;
    tx.commit().await
}

/// A step in the database, bounded in time: a frozen connection must not hold the lock for ever.
async fn step<T, E: Into<RelayError>>(doing: impl Future<Output = Result<T, E>>) -> Result<T, RelayError> {
    match timeout(STEP_TIMEOUT, doing).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(RelayError::TimedOut),
    }
}
