//! Stores a batch, whatever it takes: a database that is away is waited for, and values that it refuses are set apart.

use shared::clock::SharedClock;
use shared::database::DatabaseError;
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::Receipt;
use tokio::time::Instant;

use super::batch::Batch;
use super::metrics::Counts;
use crate::dead_letter::DeadLetter;
use crate::event_log::{Appended, Arrival, EventLog};

/// The reason of a dead letter that the database refuses to hold as an event.
const UNSTORABLE: &str = "unstorable";

/// The run was told to stop while the database was away. What it held comes again to another collector.
#[derive(Debug)]
pub(super) struct Stopped;

/// Where events are stored, and by what time.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The log.
    pub log: EventLog,
    /// The clock that they are recorded by.
    pub clock: SharedClock,
    /// What is counted.
    pub counts: Counts,
}

/// What is stored in one transaction.
#[derive(Default)]
struct Part {
    arrivals: Vec<Arrival>,
    dead: Vec<DeadLetter>,
}

impl Keeper {
    /// Stores a batch, however long the database is away, and returns what acknowledges it.
    pub(super) async fn store(self, batch: Batch, stop: CancellationToken) -> Result<Vec<Receipt>, Stopped> {
        let mut work = vec![Part {
            arrivals: batch.arrivals,
            dead: batch.dead,
        }];
        while let Some(part) = work.pop() {
            let began = Instant::now();
            match self.append(&part, &stop).await? {
                Ok(appended) => {
                    self.counts.count(&appended, &part.dead, began.elapsed());
                    tell(&part, &appended);
                }
                // Not all of it can be stored together. Alone, each event shows whether it is the one.
                Err(error) => work.extend(taken_apart(part, &error)),
            }
        }
        Ok(batch.receipts)
    }

    /// Tries until it succeeds or the database says that it is about the values.
    async fn append(
        &self,
        part: &Part,
        stop: &CancellationToken,
    ) -> Result<Result<Appended, DatabaseError>, Stopped> {
        let mut backoff = Backoff::default();
        let mut failing = false;
        loop {
            let now = self.clock.now();
            match self.log.append(&part.arrivals, &part.dead, now).await {
                Ok(appended) => {
                    self.counts.note_lag(&part.arrivals, now);
                    if failing {
                        tracing::info!("the database is back; events are stored again");
                    }
                    return Ok(Ok(appended));
                }
                // Dead letters are the last resort for values, so there is none for theirs.
                Err(error) if error.is_about_the_values() && !part.arrivals.is_empty() => {
                    return Ok(Err(error));
                }
                Err(error) if failing => tracing::debug!(%error, "events still cannot be stored"),
                Err(error) => tracing::warn!(%error, "events cannot be stored; they wait until they can"),
            }
            failing = true;
            tokio::select! { () = stop.cancelled() => return Err(Stopped), () = backoff.wait() => {} }
        }
    }
}

/// The parts of a batch that the database refused for its values; an event that is refused alone is a dead letter.
fn taken_apart(mut part: Part, error: &DatabaseError) -> Vec<Part> {
    let is_one_event = part.arrivals.len() == 1 && part.dead.is_empty();
    if !is_one_event {
        let dead = std::mem::take(&mut part.dead);
        let alone = part.arrivals.into_iter().map(|arrival| Part {
            arrivals: vec![arrival],
            dead: Vec::new(),
        });
        let dead = Part {
            arrivals: Vec::new(),
            dead,
        };
        return alone.chain([dead]).collect();
    }
    tracing::error!(%error, "the database refuses an event for its values; it is kept as a dead letter");
    let dead = part.arrivals.into_iter().map(|arrival| DeadLetter {
        reason: UNSTORABLE,
        publisher: Some(arrival.event.source.service.clone()),
        body: arrival.body,
    });
    vec![Part {
        arrivals: Vec::new(),
        dead: dead.collect(),
    }]
}

fn tell(part: &Part, appended: &Appended) {
    for letter in &part.dead {
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
