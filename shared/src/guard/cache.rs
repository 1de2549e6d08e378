//! Tokens that were verified before: their signature need not be verified again, everything else is asked each time.
//!
//! A token is found by its SHA-256 alone, so that none with another byte is ever taken for it. What is remembered is what the
//! token says and by which rules and keys that was verified, never a decision and never a failure.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use prometheus_client::metrics::counter::Counter;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::UtcMicros;
use crate::token::{Authentic, TOKEN_BYTES_MAX, Trust};

/// Tokens remembered at most. They live for minutes, so that these are as many callers at a time.
const TOKENS_MAX: usize = 10_000;

/// Bytes of them at most, as estimated, if nothing else is said.
pub(super) const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What a token takes beside its text: the tables it is unfolded into.
const TOKEN_BYTES: u64 = 1024;

/// How many times a token's own length its unfolded claims take.
const UNFOLDED: u64 = 4;

/// By what a token is found.
type Digest = [u8; SHA256_OUTPUT_LEN];

/// The tokens that were accepted of late, bounded in number and in bytes.
#[derive(Debug)]
pub(super) struct VerifiedTokens {
    cache: Cache<Digest, Remembered, Size>,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
}

#[derive(Clone, Debug)]
struct Remembered {
    token: Arc<Authentic>,
    weight: u64,
}

#[derive(Clone, Debug)]
struct Size;

impl Weighter<Digest, Remembered> for Size {
    fn weight(&self, _: &Digest, remembered: &Remembered) -> u64 {
        remembered.weight
    }
}

/// A token that is not remembered, to be remembered once it is accepted.
#[derive(Debug)]
pub(super) struct Unknown {
    digest: Digest,
    weight: u64,
}

impl VerifiedTokens {
    /// Remembers so many bytes of tokens; none if zero.
    pub(super) fn bounded(bytes_max: u64) -> Self {
        Self {
            cache: Cache::with_weighter(TOKENS_MAX, bytes_max, Size),
            hits: Counter::default(),
            misses: Counter::default(),
        }
    }

    /// The token, if it was accepted before by the rules and keys that `trust` still has.
    pub(super) fn recall(
        &self,
        token: &str,
        trust: &Trust,
        now: UtcMicros,
    ) -> Result<Arc<Authentic>, Unknown> {
        let unknown = Unknown::of(token);
        let known = self.cache.get(&unknown.digest).map(|remembered| remembered.token);
        let backed = known.filter(|known| known.is_backed_by(trust, now));
        let count = if backed.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        count.inc();
        backed.ok_or(unknown)
    }

    /// Remembers a token that was accepted.
    pub(super) fn remember(&self, unknown: &Unknown, token: &Arc<Authentic>) {
        let remembered = Remembered {
            token: Arc::clone(token),
            weight: unknown.weight,
        };
        self.cache.insert(unknown.digest, remembered);
    }

    /// Forgets what `trust` does not back any more.
    pub(super) fn forget_unbacked(&self, trust: &Trust, now: UtcMicros) {
        self.cache
            .retain(|_, remembered| remembered.token.is_backed_by(trust, now));
    }

    /// Forgets what has expired and can never be accepted again.
    pub(super) fn forget_expired(&self, now: UtcMicros) {
        self.cache.retain(|_, remembered| !remembered.token.is_over(now));
    }

    /// How many tokens it holds.
    pub(super) fn tokens(&self) -> usize {
        self.cache.len()
    }

    /// How many bytes they take, as estimated.
    pub(super) fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

impl Unknown {
    fn of(token: &str) -> Self {
        // A token that is too long is refused by its beginning as well as by its whole.
        let bytes = token.as_bytes();
        let looked_at = bytes.get(..=TOKEN_BYTES_MAX).unwrap_or(bytes);
        let mut sha256 = Digest::default();
        sha256.copy_from_slice(digest(&SHA256, looked_at).as_ref());
        let bytes = TOKEN_BYTES + UNFOLDED * looked_at.len() as u64;
        Self {
            digest: sha256,
            // Never less than the share of one of so many, which bounds their number.
            weight: bytes.max(BYTES_MAX / TOKENS_MAX as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_tokens_and_their_bytes_are_bounded() {
        let least = Unknown::of("a").weight;
        let largest = Unknown::of(&"a".repeat(TOKEN_BYTES_MAX)).weight;

        assert!(least * TOKENS_MAX as u64 <= BYTES_MAX);
        assert!((least + 1) * TOKENS_MAX as u64 > BYTES_MAX);
        assert_eq!(largest, TOKEN_BYTES + UNFOLDED * TOKEN_BYTES_MAX as u64);
    }

    #[test]
    fn a_token_beyond_the_bound_is_not_found_by_its_beginning() {
        let token = "a".repeat(TOKEN_BYTES_MAX);

        let longer = Unknown::of(&format!("{token}a"));

        assert_ne!(longer.digest, Unknown::of(&token).digest);
    }
}
