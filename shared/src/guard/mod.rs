//! Who decides on tokens in a running service: the trusted keys, the revocations, and whether both are fresh.
//!
//! All three services hold a [`Guard`]. A door and the collector keep it fresh by [`keys`] and [`feed`]; auth-service
//! feeds it from its own database.

pub mod feed;
pub mod keys;
pub mod metrics;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::{SharedClock, UtcMicros};
use crate::enforcement::{Announcement, BLIND_MAX, Page, RevocationSet};
use crate::token::{AudienceRule, KeySet, Refusal, Rejection, Trust, Verified, verify};

/// The beginning of time.
const NEVER: UtcMicros = UtcMicros::from_micros(i64::MIN);

/// How far a clock may be put back before what was heard by it counts for nothing.
const CLOCK_STEP_MAX: Duration = Duration::from_secs(1);

/// Decides on tokens. Shared by all requests; reading takes no lock.
#[derive(Debug)]
pub struct Guard {
    trust: ArcSwap<Trust>,
    revoked: ArcSwap<RevocationSet>,
    /// When the enforcement log was last heard of, in microseconds; the beginning of time if never.
    heard_at: AtomicI64,
    clock: SharedClock,
}

impl Guard {
    /// A guard that is blind until it hears of the enforcement log.
    pub fn new(trust: Trust, clock: SharedClock) -> Self {
        Self {
            trust: ArcSwap::from_pointee(trust),
            revoked: ArcSwap::default(),
            heard_at: AtomicI64::new(NEVER.as_micros()),
            clock,
        }
    }

    /// Accepts or refuses a token; see [`verify`]. Refuses everything while it is blind.
    pub fn admit(&self, token: &str, audience: AudienceRule) -> Result<Verified, Box<Rejection>> {
        let now = self.clock.now();
        let verified = verify(token, &self.trust.load(), audience, &self.revoked.load(), now)?;
        if self.is_blind_at(now) {
            return Err(Box::new(Rejection {
                refusal: Refusal::RevocationsUnknown,
                token: verified.facts(now),
                actor: verified.actor(),
                decision: None,
            }));
        }
        Ok(verified)
    }

    /// The decision by which requests from `ip` are refused, with a token or without, if they are.
    pub fn address_block(&self, ip: IpAddr) -> Option<String> {
        self.revoked.load().address_block(ip, self.clock.now())
    }

    /// Whether the enforcement log was not heard of for longer than [`BLIND_MAX`].
    pub fn is_blind(&self) -> bool {
        self.is_blind_at(self.clock.now())
    }

    /// Whether the keys of every issuer are known.
    pub fn has_all_keys(&self) -> bool {
        self.trust
            .load()
            .issuers()
            .iter()
            .all(|issuer| issuer.keys.is_some())
    }

    /// Whether `iss` is trusted and has a key of that id; a token with an unknown one is a reason to ask for new keys.
    pub fn knows_key(&self, iss: &str, kid: &str) -> bool {
        let trust = self.trust.load();
        trust
            .issuer(iss)
            .and_then(|issuer| issuer.keys.as_ref())
            .is_some_and(|keys| keys.knows(kid))
    }

    /// Trusts others from now on. Issuers in `unchanged` keep the keys that were fetched for them.
    pub fn set_trust(&self, trust: &Trust, unchanged: &[String]) {
        self.trust.rcu(|former| trust.with_keys_of(former, unchanged));
    }

    /// Replaces the keys of one issuer.
    pub fn set_keys(&self, iss: &str, keys: KeySet) {
        let keys = Arc::new(keys);
        self.trust.rcu(|trust| trust.with_keys(iss, &keys));
    }

    /// The clock that it decides by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The place in the enforcement log up to which it was heard.
    pub fn cursor(&self) -> i64 {
        self.revoked.load().cursor()
    }

    /// Takes a page of the enforcement log and forgets what has expired.
    ///
    /// Only the last page makes the guard see: with more to come, any token may be among what is not heard yet. It sees as
    /// of `asked_at`, when the page was asked for: what was revoked while the answer was on its way is not in it.
    pub fn hear(&self, page: &Page, asked_at: UtcMicros) {
        let now = self.clock.now();
        self.revoked.rcu(|revoked| {
            let mut revoked = RevocationSet::clone(revoked);
            revoked.apply(page.clone());
            revoked.forget_expired(now);
            revoked
        });
        if !page.more {
            self.heard_at.store(asked_at.as_micros(), Ordering::Release);
        }
    }

    /// Takes what was announced; whether nothing before it is missing. It puts revocations in force sooner and is never taken
    /// for a sign that all of them are known: a word that was held up on its way would say so of the past.
    pub fn hear_announcement(&self, announcement: &Announcement) -> bool {
        if announcement.page.entries.is_empty() {
            return announcement.page.cursor <= self.cursor();
        }
        let now = self.clock.now();
        let mut follows = false;
        self.revoked.rcu(|revoked| {
            let mut revoked = RevocationSet::clone(revoked);
            follows = revoked.announce(announcement.clone());
            revoked.forget_expired(now);
            revoked
        });
        follows
    }

    fn is_blind_at(&self, now: UtcMicros) -> bool {
        let heard_at = self.heard_at.load(Ordering::Acquire);
        let heard_at = UtcMicros::from_micros(heard_at);
        // A clock that was put back makes the last word look newer than it is.
        let is_ahead = heard_at > now.plus(CLOCK_STEP_MAX);
        heard_at == NEVER || is_ahead || now.since(heard_at) > BLIND_MAX
    }
}
