//! The loop: receive a batch, judge it, store it, acknowledge it.
//!
//! A database that is away is nobody's fault but its own: the batch is kept unacknowledged and tried again, and nothing
//! more is received meanwhile. Nothing is ever sent back to the queue.

use std::time::Duration;

use shared::clock::SharedClock;
use shared::database::DatabaseError;
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Consumer, Receipt};
use tokio::time::Instant;

use super::{Judged, judge};
use crate::dead_letter::DeadLetter;
use crate::event_log::{Appended, Arrival, EventLog};

/// The reason of a dead letter that the database refuses to hold as an event.
const UNSTORABLE: &str = "unstorable";

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
}

/// The run was told to stop while the database was away. What it held comes again to another collector.
struct Stopped;

/// Events and dead letters of a batch.
#[derive(Default)]
struct Batch {
    arrivals: Vec<Arrival>,
    dead: Vec<DeadLetter>,
}

/// Stores what `consumer` receives until `stop`; a batch that was begun is ended first, and what is already on its way,
/// such as this collector's own last event, is taken as well.
pub async fn run(
    mut consumer: Consumer,
    log: EventLog,
    settings: Ingest,
    clock: SharedClock,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::default();
    let mut failing = false;
    let mut stop_asked = None;
    loop {
        if stop.is_cancelled() && stop_asked.get_or_insert_with(Instant::now).elapsed() > LAST_LOOKS_MAX {
            return;
        }
        let received = tokio::select! {
            received = consumer.receive(settings.batch_max, settings.linger) => received,
            () = last_look(&stop) => return,
        };
        let deliveries = match received {
            Ok(deliveries) => deliveries,
            Err(error) => {
                if failing {
                    tracing::debug!(%error, "events still cannot be received");
                } else {
                    tracing::warn!(%error, "events cannot be received; trying again");
                }
                failing = true;
                tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => continue }
            }
        };
        backoff.reset();
        failing = false;
        let mut batch = Batch::default();
        let mut receipts: Vec<Receipt> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            receipts.push(delivery.receipt);
            match judge(delivery.body, delivery.publisher) {
                Judged::Event(arrival) => batch.arrivals.push(*arrival),
                Judged::Dead(letter) => batch.dead.push(letter),
            }
        }
        let Ok(()) = store(&log, batch, &clock, &stop).await else {
            return;
        };
        if let Err(error) = consumer.acknowledge(receipts).await {
            tracing::debug!(%error, "a stored batch was not acknowledged; its duplicates will be ignored");
        }
    }
}

/// Ends when nothing has come for a moment after the order to stop.
async fn last_look(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_LOOK).await;
}

/// Stores a batch, however long the database is away.
async fn store(
    log: &EventLog,
    batch: Batch,
    clock: &SharedClock,
    stop: &CancellationToken,
) -> Result<(), Stopped> {
    let mut work = vec![batch];
    while let Some(batch) = work.pop() {
        match append(log, &batch, clock, stop).await? {
            Ok(appended) => tell(&batch, &appended),
            // Not all of it can be stored together. Alone, each event shows whether it is the one.
            Err(error) => work.extend(taken_apart(batch, &error)),
        }
    }
    Ok(())
}

/// Tries until it succeeds or the database says that it is about the values.
async fn append(
    log: &EventLog,
    batch: &Batch,
    clock: &SharedClock,
    stop: &CancellationToken,
) -> Result<Result<Appended, DatabaseError>, Stopped> {
    let mut backoff = Backoff::default();
    let mut failing = false;
    loop {
        match log.append(&batch.arrivals, &batch.dead, clock.now()).await {
            Ok(appended) => {
                if failing {
                    tracing::info!("the database is back; events are stored again");
                }
                return Ok(Ok(appended));
            }
            // Dead letters are the last resort for values, so there is none for theirs.
            Err(error) if error.is_about_the_values() && !batch.arrivals.is_empty() => return Ok(Err(error)),
            Err(error) if failing => tracing::debug!(%error, "events still cannot be stored"),
            Err(error) => tracing::warn!(%error, "events cannot be stored; they wait until they can"),
        }
        failing = true;
        tokio::select! { () = stop.cancelled() => return Err(Stopped), () = backoff.wait() => {} }
    }
}

/// The parts of a batch that the database refused for its values; an event that is refused alone is a dead letter.
fn taken_apart(mut batch: Batch, error: &DatabaseError) -> Vec<Batch> {
    let is_one_event = batch.arrivals.len() == 1 && batch.dead.is_empty();
    if !is_one_event {
        let dead = std::mem::take(&mut batch.dead);
        let alone = batch.arrivals.into_iter().map(|arrival| Batch {
            arrivals: vec![arrival],
            dead: Vec::new(),
        });
        let dead = Batch {
            arrivals: Vec::new(),
            dead,
        };
        return alone.chain([dead]).collect();
    }
    tracing::error!(%error, "the database refuses an event for its values; it is kept as a dead letter");
    let dead = batch.arrivals.into_iter().map(|arrival| DeadLetter {
        reason: UNSTORABLE,
        publisher: Some(arrival.event.source.service),
        body: arrival.body,
    });
    vec![Batch {
        arrivals: Vec::new(),
        dead: dead.collect(),
    }]
}

fn tell(batch: &Batch, appended: &Appended) {
    for letter in &batch.dead {
        tracing::warn!(
            reason = letter.reason,
            publisher = letter.publisher,
            bytes = letter.body.len(),
            "a delivery is no event that can be believed; it is kept as a dead letter"
        );
    }
    for id in &appended.conflicts {
        tracing::error!(event.id = %id, "an event came with the id of another one; it is kept as a dead letter");
    }
    tracing::debug!(
        stored = appended.stored,
        duplicates = appended.duplicates,
        repeats = appended.repeats,
        "a batch is stored"
    );
}
