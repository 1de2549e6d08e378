//! The keys in memory, as they were when they were last read. Which of them signs is asked of the clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::token::Algorithm;

use super::key_pair::KeyPair;
use super::plan::{self, KeyTimes, MARGIN, STALE_MAX, State};
use super::store::StoredKey;
use shared::sealing::{Seal, WrongMasterKey};

/// Keys that were read so long ago are read again when somebody asks for something.
const OLD_AFTER: Duration = Duration::from_mins(1);

/// A key that signs.
pub(crate) struct SigningKey {
    /// Its RFC 7638 thumbprint.
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pair: KeyPair,
}

impl SigningKey {
    /// The signature of `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        self.pair.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}

/// Why the stored keys are of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum RingError {
    #[error(transparent)]
    WrongMasterKey(#[from] WrongMasterKey),
    #[error("the database holds a signing key that is damaged: {0}")]
    Damaged(#[from] KeyRejected),
    #[error("the database holds a public key that is damaged: {0}")]
    PublicDamaged(#[from] serde_json::Error),
}

/// No key may sign now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSigner {
    #[error("the signing keys were not read for too long")]
    Stale,
    #[error("no signing key is active")]
    NoneActive,
}

/// What verifiers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedSet {
    /// RFC 7517 §5.
    pub(crate) jwks: Vec<u8>,
    /// Changes whenever the set does.
    pub(crate) etag: String,
}

/// The keys of a database as of one moment.
#[derive(Debug)]
pub(crate) struct KeyRing {
    times: Vec<KeyTimes>,
    jwks: Vec<Value>,
    /// Those that sign or will.
    signing: Vec<Arc<SigningKey>>,
    /// What changes in the database whenever the keys do.
    pub(super) version: i64,
    read_at: UtcMicros,
}

impl KeyRing {
    /// Opens what was read at `read_at`. Keys that are open already are taken from `former`.
    pub(super) fn open(
        stored: Vec<StoredKey>,
        seal: &Seal,
        version: i64,
        read_at: UtcMicros,
        former: Option<&Self>,
    ) -> Result<Self, RingError> {
        let times: Vec<_> = stored.iter().map(|key| key.times.clone()).collect();
        let (mut jwks, mut signing) = (Vec::new(), Vec::new());
        for key in stored {
            jwks.push(serde_json::from_slice(&key.jwk)?);
            let signs = matches!(
                plan::state(&key.times, &times, read_at),
                State::Active | State::PrePublished
            );
            let (true, Some(sealed)) = (signs, &key.sealed_private) else {
                continue;
            };
            let kid = &key.times.kid;
            let known = former.and_then(|ring| ring.signing.iter().find(|known| known.kid == *kid));
            signing.push(match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(SigningKey {
                    pair: KeyPair::read(key.times.algorithm, &seal.open(kid, sealed)?)?,
                    kid: kid.clone(),
                    algorithm: key.times.algorithm,
                }),
            });
        }
        Ok(Self {
            times,
            jwks,
            signing,
            version,
            read_at,
        })
    }

    /// The same keys, read again at `read_at`.
    pub(super) fn read_again(&self, read_at: UtcMicros) -> Self {
        Self {
            times: self.times.clone(),
            jwks: self.jwks.clone(),
            signing: self.signing.clone(),
            version: self.version,
            read_at,
        }
    }

    /// Whether the keys should be read again before something is signed.
    pub(super) fn is_old(&self, now: UtcMicros) -> bool {
        self.age(now) > OLD_AFTER
    }

    /// How long ago the keys were read. By a clock that was put back that cannot be known, and it counts as very long.
    fn age(&self, now: UtcMicros) -> Duration {
        if self.read_at > now.plus(MARGIN) {
            return Duration::MAX;
        }
        now.since(self.read_at)
    }

    /// The key that signs at `now`. None does while the keys were not read for too long: another may sign by now.
    pub(crate) fn signer(&self, now: UtcMicros) -> Result<&Arc<SigningKey>, NoSigner> {
        if self.age(now) > STALE_MAX {
            return Err(NoSigner::Stale);
        }
        let active = self
            .in_state(State::Active, now)
            .next()
            .ok_or(NoSigner::NoneActive)?;
        let key = self.signing.iter().find(|key| key.kid == active.kid);
        key.ok_or(NoSigner::NoneActive)
    }

    /// Whether there is a key that verifiers know already and that will sign.
    pub(crate) fn has_next(&self, now: UtcMicros) -> bool {
        self.in_state(State::PrePublished, now).next().is_some()
    }

    /// Every key that may have signed a living token, or will sign.
    pub(crate) fn published(&self, now: UtcMicros) -> PublishedSet {
        let keys: Vec<_> = self
            .times
            .iter()
            .zip(&self.jwks)
            .filter(|(key, _)| plan::state(key, &self.times, now).is_published())
            .map(|(_, jwk)| jwk)
            .collect();
        let jwks = json!({ "keys": keys }).to_string().into_bytes();
        let hash = digest(&SHA256, &jwks);
        PublishedSet {
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.as_ref())),
            jwks,
        }
    }

    /// Since when the active key signs, and when the next one will; for operators.
    pub(crate) fn schedule(&self, now: UtcMicros) -> (Option<UtcMicros>, Option<UtcMicros>) {
        let since = self.in_state(State::Active, now).find_map(|key| key.signs_from);
        let next = self
            .in_state(State::PrePublished, now)
            .filter_map(|key| key.signs_from)
            .min();
        (since, next)
    }

    fn in_state(&self, wanted: State, now: UtcMicros) -> impl Iterator<Item = &KeyTimes> {
        self.times
            .iter()
            .filter(move |key| plan::state(key, &self.times, now) == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ_AT: UtcMicros = UtcMicros::from_seconds(1_700_000_000);

    fn ring() -> KeyRing {
        let seal = Seal::new(&"ab".repeat(32).parse().unwrap(), "test").unwrap();
        KeyRing::open(Vec::new(), &seal, 0, READ_AT, None).unwrap()
    }

    #[test]
    fn keys_that_were_read_too_long_ago_sign_nothing() {
        let latest = READ_AT.plus(STALE_MAX);

        assert_eq!(ring().signer(latest).unwrap_err(), NoSigner::NoneActive);
        let too_late = latest.plus(Duration::from_micros(1));
        assert_eq!(ring().signer(too_late).unwrap_err(), NoSigner::Stale);
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_make_old_keys_young() {
        let slightly = READ_AT.minus(MARGIN);
        let far = slightly.minus(Duration::from_micros(1));

        assert!(!ring().is_old(slightly) && ring().is_old(far));
        assert_eq!(ring().signer(slightly).unwrap_err(), NoSigner::NoneActive);
        assert_eq!(ring().signer(far).unwrap_err(), NoSigner::Stale);
    }
}
