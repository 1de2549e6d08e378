//! Who decides on tokens in a running service: the trusted keys, the revocations, and whether both are fresh.
//!
//! All three services hold a [`Guard`]. A door and the collector keep it fresh by [`keys`] and [`feed`]; auth-service
//! feeds it from its own database.

mod admission;
mod cache;
pub mod feed;
mod hearing;
pub mod keys;
pub mod metrics;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;

use crate::clock::{SharedClock, UtcMicros};
use crate::enforcement::{BLIND_MAX, RevocationSet};
use crate::token::{HeardKeys, KeySet, Trust};
pub use admission::{Admitted, IfBlind};
use cache::VerifiedTokens;
use keys::KeySource;

/// The beginning of time.
const NEVER: UtcMicros = UtcMicros::from_micros(i64::MIN);

/// Decides on tokens. Shared by all requests; what is decided by the hot path takes no lock.
#[derive(Debug)]
pub struct Guard {
    trust: ArcSwap<Trust>,
    revoked: ArcSwap<RevocationSet>,
    /// When the enforcement log was last heard of, in microseconds; the beginning of time if never.
    heard_at: AtomicI64,
    blind_max: Duration,
    tokens: VerifiedTokens,
    /// Who is asked for the keys of each issuer.
    key_sources: ArcSwap<HashMap<String, Arc<KeySource>>>,
    /// Changes when a token that was let in may not be good any more.
    changes: watch::Sender<()>,
    /// Seconds from a revocation until it was in force here.
    propagation: Histogram,
    clock: SharedClock,
}

impl Guard {
    /// A guard that is blind until it hears of the enforcement log.
    pub fn new(trust: Trust, clock: SharedClock) -> Self {
        Self {
            trust: ArcSwap::from_pointee(trust),
            revoked: ArcSwap::default(),
            heard_at: AtomicI64::new(NEVER.as_micros()),
            blind_max: BLIND_MAX,
            tokens: VerifiedTokens::bounded(cache::BYTES_MAX),
            key_sources: ArcSwap::default(),
            changes: watch::Sender::default(),
            propagation: Histogram::new(metrics::PROPAGATION),
            clock,
        }
    }

    /// The same guard, remembering so many bytes of verified tokens; none if zero.
    #[must_use]
    pub fn with_token_cache(mut self, bytes_max: u64) -> Self {
        self.tokens = VerifiedTokens::bounded(bytes_max);
        self
    }

    /// The same guard, blind when the enforcement log was not heard of for longer than `blind_max`.
    #[must_use]
    pub fn with_blind_max(mut self, blind_max: Duration) -> Self {
        self.blind_max = blind_max;
        self
    }

    /// The decision by which requests from `ip` are refused, with a token or without, if they are.
    pub fn address_block(&self, ip: IpAddr) -> Option<String> {
        self.revoked.load().address_block(ip, self.clock.now())
    }

    /// Whether there are keys of any issuer that are not too old, so that some tokens can be decided on.
    pub fn has_keys(&self) -> bool {
        let now = self.clock.now();
        let trust = self.trust.load();
        trust.issuers().iter().any(|issuer| issuer.has_keys(now))
    }

    /// Whether there are keys of every issuer that are not too old.
    pub fn has_all_keys(&self) -> bool {
        let now = self.clock.now();
        self.trust
            .load()
            .issuers()
            .iter()
            .all(|issuer| issuer.has_keys(now))
    }

    /// Whether the keys of any issuer should have been asked for again and were not.
    pub fn has_stale_keys(&self) -> bool {
        let now = self.clock.now();
        let trust = self.trust.load();
        trust
            .issuers()
            .iter()
            .any(|issuer| issuer.stale_keys_age(now).is_some())
    }

    /// Whether `iss` is trusted and has a key of that id.
    pub fn knows_key(&self, iss: &str, kid: &str) -> bool {
        let trust = self.trust.load();
        trust.issuer(iss).is_some_and(|issuer| issuer.knows_key(kid))
    }

    /// Trusts others from now on. Issuers in `unchanged` keep the keys that were fetched for them.
    pub fn set_trust(&self, trust: &Trust, unchanged: &[String]) {
        self.trust.rcu(|former| trust.with_keys_of(former, unchanged));
        self.key_sources.rcu(|sources| {
            let mut sources = HashMap::clone(sources);
            sources.retain(|iss, _| trust.issuer(iss).is_some());
            sources
        });
        self.trust_changed();
    }

    /// Replaces the keys of an issuer by such as are ours to know, which do not age.
    pub fn set_keys(&self, iss: &str, keys: KeySet) {
        self.put_keys(iss, &Arc::new(keys), None);
    }

    /// Replaces the keys of an issuer by such as were heard; whether these are the first.
    pub fn hear_keys(&self, iss: &str, keys: &KeySet, heard: HeardKeys) -> bool {
        let is_first = !self.has_heard_keys(iss);
        self.put_keys(iss, &Arc::new(keys.clone()), Some(heard));
        is_first
    }

    fn put_keys(&self, iss: &str, keys: &Arc<KeySet>, heard: Option<HeardKeys>) {
        let former = self.trust.rcu(|trust| trust.with_keys(iss, keys, heard));
        if !former.has_same_keys(&self.trust.load(), iss) {
            self.trust_changed();
        }
    }

    /// What rested on the former trust is remembered no more, and who is at work by it is looked at again.
    fn trust_changed(&self) {
        self.tokens.forget_unbacked(&self.trust.load(), self.clock.now());
        self.changes.send_replace(());
    }

    fn has_heard_keys(&self, iss: &str) -> bool {
        let trust = self.trust.load();
        trust.issuer(iss).is_some_and(|issuer| issuer.keys.is_some())
    }

    /// What is known of how `iss` answers for its keys; made when it is asked for first.
    fn key_source(&self, iss: &str) -> Arc<KeySource> {
        if let Some(source) = self.key_sources.load().get(iss) {
            return Arc::clone(source);
        }
        let new: Arc<KeySource> = Arc::default();
        self.key_sources.rcu(|sources| {
            let mut sources = HashMap::clone(sources);
            sources.entry(iss.to_owned()).or_insert_with(|| Arc::clone(&new));
            sources
        });
        self.key_sources.load().get(iss).cloned().unwrap_or(new)
    }

    /// Changes when a token that was let in may not be good any more: something was revoked, or is not trusted any more.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The clock that it decides by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }
}
