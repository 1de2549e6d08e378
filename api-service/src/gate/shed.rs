//! Events that were not kept although their requests were answered: counted, and told of when there is room again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use shared::clock::UtcMicros;
use shared::event::{Class, Draft, Facts, Outcome, action};
use shared::runtime::metrics::Metrics;
use shared::spool::Spool;
use tokio::sync::Notify;

/// How often it is tried to tell of them.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What was not kept and is not told of yet. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shed(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// By the name of the route; none for what is about no route.
    gaps: Mutex<BTreeMap<Option<String>, Gap>>,
    shed: Counter,
    noted: Notify,
    /// Held by whoever tells, so that the end waits for what is being told.
    telling: tokio::sync::Mutex<()>,
}

/// A stretch of time in which so many events of a route are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    count: u64,
    since: UtcMicros,
    until: UtcMicros,
}

impl Gap {
    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            since: self.since.min(other.since),
            until: self.until.max(other.until),
        }
    }

    fn facts(self, route: Option<&str>) -> Facts {
        let mut facts = Facts::new(Class::System, action::EVENTS_SHED, Outcome::Failure)
            .with_detail("count", self.count)
            .with_detail("since", self.since.to_string())
            .with_detail("until", self.until.to_string());
        if let Some(route) = route {
            facts = facts.with_detail("route", route);
        }
        facts
    }
}

impl Shed {
    /// What is counted among the metrics under `prefix`.
    pub(super) fn watched(metrics: &Metrics, prefix: &str) -> Self {
        let shed = Self::default();
        let counter = shed.0.shed.clone();
        metrics.register(prefix, |registry| {
            registry.register(
                "events_shed",
                "Events that were not kept although their requests were answered",
                counter,
            );
        });
        shed
    }

    /// Notes an event that was not kept.
    pub(super) fn note(&self, route: Option<&str>, now: UtcMicros) {
        self.0.shed.inc();
        let gap = Gap {
            count: 1,
            since: now,
            until: now,
        };
        if self.add(route.map(str::to_owned), gap) {
            tracing::error!(route, "events of requests that are answered are not kept");
        }
        self.0.noted.notify_one();
    }

    /// Returns whether nothing was missing before.
    fn add(&self, route: Option<String>, gap: Gap) -> bool {
        let mut gaps = self.lock();
        let before = gaps.get(&route).copied();
        gaps.insert(route, before.map_or(gap, |before| before.and(gap)));
        before.is_none()
    }

    /// Tells of everything as soon as there is room. Never ends.
    pub(super) async fn run(self, spool: Spool) {
        loop {
            self.0.noted.notified().await;
            loop {
                // A task of its own: what was taken to be told is told, although this one may be ended at any time.
                let (shed, spool) = (self.clone(), spool.clone());
                let told = tokio::spawn(async move { shed.tell(&spool, false).await });
                if told.await.unwrap_or(false) {
                    break;
                }
                tokio::time::sleep(TRY_EVERY).await;
            }
        }
    }

    /// Tells of everything at the end, room or not: nobody could do it later.
    pub(super) async fn close(&self, spool: &Spool) {
        if !self.tell(spool, true).await {
            for (route, gap) in std::mem::take(&mut *self.lock()) {
                tracing::error!(route, count = gap.count, since = %gap.since, until = %gap.until, "events are missing");
            }
        }
    }

    /// Whether nothing is left to be told.
    async fn tell(&self, spool: &Spool, is_last: bool) -> bool {
        let _telling = self.0.telling.lock().await;
        let gaps = std::mem::take(&mut *self.lock());
        let mut all_told = true;
        for (route, gap) in gaps {
            let draft = Draft::new(spool.clock().now(), gap.facts(route.as_deref()));
            let told = if is_last {
                spool.append_always(&draft).await
            } else {
                spool.append(draft).await
            };
            if told.is_err() {
                self.add(route, gap);
                all_told = false;
            }
        }
        all_told
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<String>, Gap>> {
        self.0.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_from_the_first_to_the_last_of_what_is_missing() {
        let shed = Shed::default();
        for seconds in [7, 5, 9] {
            shed.note(Some("best"), UtcMicros::from_seconds(seconds));
        }
        shed.note(None, UtcMicros::from_seconds(1));

        let gaps = shed.lock();
        let gap = gaps[&Some("best".to_owned())];

        assert_eq!(gaps.len(), 2);
        assert_eq!(gap.count, 3);
        assert_eq!(gap.since, UtcMicros::from_seconds(5));
        assert_eq!(gap.until, UtcMicros::from_seconds(9));
    }
}
