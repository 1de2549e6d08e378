//! Answers that take their time, whose callers' tokens are looked at for as long: one that is over or revoked ends them.
//!
//! One task looks at all of them, when something has changed and now and then for those that expire: a stream costs an entry in
//! a table and no timer.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use shared::guard::{Admitted, Guard};
use shared::runtime::metrics::Metrics;
use shared::token::{Objection, Refusal};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Gate;
use super::ending::{CutOff, MustEnd};
use crate::policy::{Route, StreamEnd};

/// How often streams are looked at when nothing has changed; how late one may end after its token has expired.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How much later a stream is ended that what answers ends by itself: it hears of a revocation as late as a door does.
const GRACE: Duration = Duration::from_secs(2);

impl Gate {
    /// Is ready when what `caller` gets by `route` must end because the token is not good any more; never if the route says so,
    /// or if nobody was asked for a token.
    pub(crate) fn withdrawn(&self, route: &Route, caller: Option<&Admitted>) -> MustEnd {
        match caller {
            Some(caller) if route.stream_end != StreamEnd::Never => {
                let stream = self.streams.begin(caller.clone(), route.stream_end);
                let ends_itself = route.stream_end == StreamEnd::Itself;
                Box::pin(async move {
                    let objection = stream.objection().await;
                    if ends_itself {
                        sleep(GRACE).await;
                    }
                    CutOff::Withdrawn(objection)
                })
            }
            _ => Box::pin(pending()),
        }
    }
}

/// The streams at the moment. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Mutex<Streams>>);

#[derive(Debug, Default)]
struct Streams {
    open: HashMap<u64, Stream>,
    next: u64,
    ended: Counter,
}

#[derive(Debug)]
struct Stream {
    caller: Admitted,
    end_at: StreamEnd,
    ends: oneshot::Sender<Objection>,
}

/// A stream that is looked at until this is dropped.
struct Watched {
    watch: Watch,
    number: u64,
    ended: oneshot::Receiver<Objection>,
}

impl Watch {
    /// A watch whose streams are counted among the metrics under `prefix`.
    pub(super) fn watched(metrics: &Metrics, prefix: &str) -> Self {
        let watch = Self::default();
        let (open, ended) = (Gauge::<i64>::default(), watch.lock().ended.clone());
        metrics.register(prefix, |registry| {
            registry.register(
                "streams_open",
                "Answers on their way whose caller's token is looked at",
                open.clone(),
            );
            registry.register(
                "streams_ended",
                "Answers that were ended for their caller's token",
                ended,
            );
        });
        let asked = watch.clone();
        metrics.probe(move || {
            open.set(i64::try_from(asked.lock().open.len()).unwrap_or(i64::MAX));
            std::future::ready(())
        });
        watch
    }

    /// Looks at every stream when `guard` has learned something, and regularly. Never ends.
    pub(super) async fn run(self, guard: Arc<Guard>) {
        let mut changes = guard.changes();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Ok(()) = changes.changed() => {}
            }
            self.look(&guard);
        }
    }

    fn begin(&self, caller: Admitted, end_at: StreamEnd) -> Watched {
        let (ends, ended) = oneshot::channel();
        let mut streams = self.lock();
        let number = streams.next;
        streams.next += 1;
        streams.open.insert(number, Stream { caller, end_at, ends });
        drop(streams);
        Watched {
            watch: self.clone(),
            number,
            ended,
        }
    }

    fn look(&self, guard: &Guard) {
        let mut streams = self.lock();
        let over: Vec<_> = streams
            .open
            .iter()
            .filter_map(|(number, stream)| Some((*number, stream.objection(guard)?)))
            .collect();
        for (number, objection) in over {
            if let Some(stream) = streams.open.remove(&number) {
                streams.ended.inc();
                // Who has ended already need not be told.
                drop(stream.ends.send(objection));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn objection(&self, guard: &Guard) -> Option<Objection> {
        let objection = guard.objection(&self.caller)?;
        let outlives = self.end_at == StreamEnd::Revocation && objection.refusal == Refusal::Expired;
        (!outlives).then_some(objection)
    }
}

impl Watched {
    /// Waits for what is said against the caller's token.
    async fn objection(mut self) -> Objection {
        match (&mut self.ended).await {
            Ok(objection) => objection,
            // Nobody looks any more: the gate is closed.
            Err(_) => pending().await,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.lock().open.remove(&self.number);
    }
}
