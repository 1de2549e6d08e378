//! The pools of the policy in force. A pool whose upstream is the same in a changed policy is kept, with all that it knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::http::client::{ClientOptions, client_with};

use super::check::check_while_used;
use super::{Pool, Reporter};
use crate::gate::Gate;
use crate::policy::Upstream;

/// How often it is looked whether another policy is in force. Requests wait for that no longer than for a pool to be made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The pools by the names of their upstreams.
#[derive(Debug)]
pub(crate) struct Pools {
    by_name: ArcSwap<HashMap<String, Arc<Pool>>>,
    reporter: Reporter,
}

impl Pools {
    /// No pools yet; `reporter` is told what happens to servers.
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self {
            by_name: ArcSwap::default(),
            reporter,
        }
    }

    /// The pool of `upstream`, which is made if it is not there.
    pub(crate) fn of(&self, upstream: &Arc<Upstream>) -> Option<Arc<Pool>> {
        if let Some(pool) = known(&self.by_name.load(), upstream) {
            return Some(pool);
        }
        let pool = self.make(upstream)?;
        self.by_name.rcu(|pools| {
            let mut pools = HashMap::clone(pools);
            pools.insert(upstream.name.clone(), Arc::clone(&pool));
            pools
        });
        Some(pool)
    }

    /// Keeps the pools of the policy that is in force at `gate`, so that servers are checked before they are asked.
    pub(crate) async fn follow(self: Arc<Self>, gate: Arc<Gate>) {
        let mut seen = None;
        loop {
            let policy = gate.policy.load_full();
            if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &policy)) {
                self.keep(policy.table.upstreams());
                seen = Some(policy);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the pools of `upstreams` alone. The others end with their last request.
    fn keep<'u>(&self, upstreams: impl Iterator<Item = &'u Arc<Upstream>>) {
        let mut kept = HashMap::new();
        for upstream in upstreams {
            if let Some(pool) = self.of(upstream) {
                kept.insert(upstream.name.clone(), pool);
            }
        }
        self.by_name.store(Arc::new(kept));
    }

    fn make(&self, upstream: &Arc<Upstream>) -> Option<Arc<Pool>> {
        let options = ClientOptions {
            connect_timeout: upstream.timeouts.connect,
            authorities: upstream.authorities.as_deref(),
            http2: upstream.http2,
        };
        let client = client_with(&options)
            .inspect_err(|error| tracing::error!(%error, upstream = upstream.name, "TLS cannot be spoken"))
            .ok()?;
        let pool = Arc::new(Pool::new(Arc::clone(upstream), client, self.reporter.clone()));
        if upstream.health.is_some() {
            tokio::spawn(check_while_used(Arc::downgrade(&pool)));
        }
        Some(pool)
    }
}

fn known(pools: &HashMap<String, Arc<Pool>>, upstream: &Arc<Upstream>) -> Option<Arc<Pool>> {
    pools
        .get(&upstream.name)
        .filter(|pool| Arc::ptr_eq(&pool.upstream, upstream) || pool.upstream == *upstream)
        .cloned()
}
