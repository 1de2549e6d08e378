//! Secrets at rest: AES-256-GCM under a key derived from the master key for one purpose, bound to whose secret it is.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{MasterKey, Underivable};

/// Closes and opens the secrets of one purpose. Shows nothing of its key.
pub struct Seal(RandomizedNonceKey);

/// The secret was sealed under another master key, for somebody or something else, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed secrets in the database cannot be opened: the master key is not the one they were sealed with"
)]
pub struct WrongMasterKey;

/// A secret could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret could not be sealed")]
pub struct Unsealable;

impl Seal {
    /// A seal for `purpose`, or an error if no key can be derived. Another purpose makes everything that was sealed before unreadable.
    pub fn new(master_key: &MasterKey, purpose: &'static str) -> Result<Self, Underivable> {
        let key = master_key.derive(purpose)?;
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())
            .map(Self)
            .map_err(|_| Underivable)
    }

    /// The nonce, the cipher text and its tag, to be opened only with the same `owner`.
    pub fn close(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let mut text = secret.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut text)
            .map_err(|_| Unsealable)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// What was sealed for `owner`.
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, WrongMasterKey> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(WrongMasterKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| WrongMasterKey)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text)
            .map_err(|_| WrongMasterKey)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(digit: char) -> Seal {
        Seal::new(&digit.to_string().repeat(64).parse().unwrap(), "test").unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let sealed = seal('a').close("owner", b"private").unwrap();

        assert_eq!(seal('a').open("owner", &sealed).unwrap().as_slice(), b"private");
        assert!(!sealed.windows(7).any(|part| part == b"private"));
    }

    #[test]
    fn another_master_key_purpose_or_owner_or_a_changed_bit_opens_nothing() {
        let sealed = seal('a').close("owner", b"private").unwrap();
        let elsewhere = Seal::new(&"a".repeat(64).parse().unwrap(), "another").unwrap();
        let mut changed = sealed.clone();
        changed[NONCE_LEN] ^= 1;

        assert!(seal('b').open("owner", &sealed).is_err());
        assert!(elsewhere.open("owner", &sealed).is_err());
        assert!(seal('a').open("other", &sealed).is_err());
        assert!(seal('a').open("owner", &changed).is_err());
        assert!(seal('a').open("owner", &sealed[..NONCE_LEN - 1]).is_err());
    }
}
