//! The door: one decision and one event for every request.

mod answer;
mod arrival;
mod decide;
mod ending;
pub(crate) mod handler;
mod me;
mod record;

use ipnet::IpNet;
use shared::guard::Guard;
use shared::guard::keys::KeyRefresh;
use shared::http::client::PooledClient;
use shared::http::metrics::Answers;
use shared::runtime::shutdown::TaskTracker;
use shared::spool::Spool;

use crate::policy::RouteTable;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) table: RouteTable,
    pub(crate) guard: std::sync::Arc<Guard>,
    pub(crate) refresh: KeyRefresh,
    pub(crate) spool: Spool,
    pub(crate) client: PooledClient,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) body_max_bytes: u64,
    /// Answers by route.
    pub(crate) answers: Answers,
    /// Tasks that still write the event of a request whose client is gone.
    pub(crate) ends: TaskTracker,
}
