//! The gate: verifies, decides, and writes exactly one event for every request, before its answer leaves.
//!
//! It knows nothing of where a request goes when it is let in. Doors do: they open a [`Case`], have it judged, serve the request if
//! it is let in, and answer by way of the case, so that all of them refuse with the same codes and tell the same.

mod arrival;
mod case;
mod decide;
mod ending;
mod entrance;
mod meter;
mod reasons;
mod record;
mod refusal;
mod running;
mod settings;
mod shed;
mod stranger;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use shared::guard::Guard;
use shared::http::metrics::{Answers, Refusals};
use shared::runtime::shutdown::TaskTracker;
use shared::spool::Spool;

use crate::access_log::AccessLog;
use crate::policy::{Policy, RouteTable};
use crate::rate_limit::{RateLimiter, RateRule};
pub(crate) use arrival::{Arrival, Sender};
pub(crate) use case::{Answer, Case};
pub(crate) use decide::{Denied, Granted, Inquiry, decide};
pub(crate) use ending::{CutOff, MustEnd, Passed, Passing};
pub(crate) use entrance::Entrance;
pub(crate) use meter::BodyMeter;
use reasons::Reasons;
pub(crate) use refusal::no_route;
pub(crate) use running::RunningGate;
pub use settings::GateSettings;
use shed::Shed;
use watch::Watch;

/// Answers up to this many bytes are collected before they are passed on, so that one event tells all of them.
pub(crate) const COLLECT_BYTES_MAX: u64 = 16 * 1024;

/// The policy that is in force.
#[derive(Debug)]
pub(crate) struct ActivePolicy {
    pub(crate) table: RouteTable,
    /// How often an address may be refused for want of a good token.
    pub(crate) refusals: RateRule,
    /// Who mints tokens that are accepted.
    pub(crate) authorization_servers: Vec<String>,
    /// The hash of its file.
    pub(crate) hash: String,
}

impl ActivePolicy {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            table: policy.table,
            refusals: policy.refusals,
            authorization_servers: policy
                .issuers
                .into_iter()
                .map(|issuer| issuer.rules.iss)
                .collect(),
            hash: policy.hash,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Swapped as a whole when the policy file changes: a request is decided by one policy from its beginning to its end.
    pub(crate) policy: ArcSwap<ActivePolicy>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) spool: Spool,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Outlives every policy: a limit that did not change goes on where it was.
    limiter: Arc<RateLimiter>,
    /// Answers that may have to end before they are over.
    streams: Watch,
    /// Answers by route.
    answers: Answers,
    /// Whether there are traces, which ask for the route of every answer.
    is_traced: bool,
    /// A line for every request, beside its event.
    access_log: AccessLog,
    /// Events that could not be kept.
    shed: Shed,
    /// Refusals by their code.
    reasons: Reasons,
    /// What never became a request.
    refusals: Refusals,
    /// Tasks that still write the event of a request whose client is gone.
    ends: TaskTracker,
}
