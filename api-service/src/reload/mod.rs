//! Puts a changed policy in force while the door is open: read, checked, swapped, recorded. A policy with a mistake changes
//! nothing.

mod keys;

use std::sync::Arc;
use std::time::Duration;

use shared::clock::UtcMicros;
use shared::event::{Class, Draft, Facts, Outcome, action};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::gate::{ActivePolicy, Gate};
use crate::policy::{Policy, PolicyError, PolicyIssuer, PolicySource};
pub(crate) use keys::{KeptKeys, trust};

/// How often the file is looked at. Its content is compared, so that an editor, a copy and a swapped mount are all noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What asked for the policy to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Signal,
    File,
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::File => "file",
        }
    }
}

/// Follows the policy's file and SIGHUP. Ends only when a task that keeps keys has ended, which none should.
pub(crate) async fn run(gate: Arc<Gate>, follower: Follower) {
    let mut follower = follower;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let cause = tokio::select! {
            _ = ticks.tick() => Cause::File,
            () = hung_up(&mut follower.signal) => Cause::Signal,
            () = follower.keys.ended() => return,
        };
        follower.look(&gate, cause).await;
    }
}

/// Without a handler for the signal there is nothing to wait for.
async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// What is known of the policy in force and of its file.
pub(crate) struct Follower {
    source: PolicySource,
    issuers: Vec<PolicyIssuer>,
    /// What the file held when it was last read, good or not.
    seen: Option<String>,
    keys: KeptKeys,
    signal: Option<Signal>,
}

impl Follower {
    /// Follows the source of `policy`, whose keys are kept by `keys`.
    pub(crate) fn new(policy: &Policy, keys: KeptKeys) -> Self {
        let signal = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the policy"))
            .ok();
        Self {
            source: policy.source.clone(),
            issuers: policy.issuers.clone(),
            seen: Some(policy.hash.clone()),
            keys,
            signal,
        }
    }

    /// Reads the policy again if it has changed, or if it was asked for by a signal: a secret file may have changed.
    async fn look(&mut self, gate: &Gate, cause: Cause) {
        let current = self.source.current_hash();
        if cause == Cause::File && (current.is_none() || current == self.seen) {
            return;
        }
        self.seen = current;
        match self.source.load() {
            Ok(policy) => self.put_in_force(gate, policy, cause).await,
            Err(error) => refuse(gate, &error, cause).await,
        }
    }

    /// Trust first: for an instant a token may be refused that is good, never the other way round.
    async fn put_in_force(&mut self, gate: &Gate, policy: Policy, cause: Cause) {
        for warning in &policy.warnings {
            tracing::warn!("{warning}");
        }
        let unchanged: Vec<String> = policy
            .issuers
            .iter()
            .filter(|issuer| self.issuers.iter().any(|known| known.has_keys_of(issuer)))
            .map(|issuer| issuer.rules.iss.clone())
            .collect();
        gate.guard.set_trust(&trust(&policy.issuers), &unchanged);
        self.keys.replace(&policy.issuers);
        self.issuers.clone_from(&policy.issuers);
        let active = ActivePolicy::new(policy);
        let facts = Facts::new(Class::System, action::POLICY_CHANGED, Outcome::Success)
            .with_detail("before", gate.policy.load().hash.as_str())
            .with_detail("after", active.hash.as_str())
            .with_detail("routes", active.table.routes().len())
            .with_detail("by", cause.as_str());
        tracing::info!(policy.hash = active.hash, "another policy is in force");
        gate.policy.store(Arc::new(active));
        record(gate, facts).await;
    }
}

async fn refuse(gate: &Gate, error: &PolicyError, cause: Cause) {
    for problem in &error.0 {
        tracing::error!("{problem}");
    }
    tracing::error!("the changed policy was refused; the former stays in force");
    let facts = Facts::new(Class::System, action::POLICY_CHANGE_FAIL, Outcome::Failure)
        .because("policy_invalid")
        .with_detail("problems", error.0.len())
        .with_detail("in_force", gate.policy.load().hash.as_str())
        .with_detail("by", cause.as_str());
    record(gate, facts).await;
}

/// A policy is put in force also when its event cannot be kept: it may be what closes a hole.
async fn record(gate: &Gate, facts: Facts) {
    let now: UtcMicros = gate.spool.clock().now();
    if let Err(error) = gate.spool.append(Draft::new(now, facts)).await {
        tracing::error!(%error, "the change of the policy could not be recorded");
    }
}
