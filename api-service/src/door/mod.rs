//! The door: one decision and one event for every request.

mod answer;
mod arrival;
pub(crate) mod decide;
mod ending;
pub(crate) mod handler;
mod me;
mod record;

use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use shared::guard::Guard;
use shared::guard::keys::KeyRefresh;
use shared::http::client::PooledClient;
use shared::http::metrics::Answers;
use shared::runtime::shutdown::TaskTracker;
use shared::spool::Spool;

use crate::policy::{Policy, RouteTable};

/// The policy that is in force, and who asks for the keys of its issuers.
#[derive(Debug)]
pub(crate) struct ActivePolicy {
    pub(crate) table: RouteTable,
    pub(crate) refresh: KeyRefresh,
    /// The hash of its file.
    pub(crate) hash: String,
}

impl ActivePolicy {
    pub(crate) fn new(policy: Policy, refresh: KeyRefresh) -> Self {
        Self {
            table: policy.table,
            refresh,
            hash: policy.hash,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Door {
    /// Swapped as a whole when the policy file changes: a request is decided by one policy from its beginning to its end.
    pub(crate) policy: ArcSwap<ActivePolicy>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) spool: Spool,
    pub(crate) client: PooledClient,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) body_max_bytes: u64,
    /// Answers by route.
    pub(crate) answers: Answers,
    /// Tasks that still write the event of a request whose client is gone.
    pub(crate) ends: TaskTracker,
}
