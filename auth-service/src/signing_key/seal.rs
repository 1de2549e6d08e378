//! Private keys at rest: AES-256-GCM under a key derived from the master key, bound to the id of the key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::master_key::{MasterKey, Underivable};

/// What the key is derived for. A change makes every sealed key unreadable.
const PURPOSE: &str = "gatelog signing keys v1";

/// Closes and opens private keys.
pub(super) struct Seal(RandomizedNonceKey);

/// The private key was sealed under another master key, for another key id, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signing keys in the database cannot be opened: the master key is not the one they were sealed with"
)]
pub(super) struct WrongMasterKey;

/// A private key could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a private key could not be sealed")]
pub(super) struct Unsealable;

impl Seal {
    pub(super) fn new(master_key: &MasterKey) -> Result<Self, Underivable> {
        let key = master_key.derive(PURPOSE)?;
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())
            .map(Self)
            .map_err(|_| Underivable)
    }

    /// The nonce, the cipher text and its tag.
    pub(super) fn close(&self, kid: &str, private: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let mut text = private.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(kid.as_bytes()), &mut text)
            .map_err(|_| Unsealable)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    pub(super) fn open(&self, kid: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, WrongMasterKey> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(WrongMasterKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| WrongMasterKey)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(kid.as_bytes()), &mut text)
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
        Seal::new(&digit.to_string().repeat(64).parse().unwrap()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let sealed = seal('a').close("kid", b"private").unwrap();

        assert_eq!(seal('a').open("kid", &sealed).unwrap().as_slice(), b"private");
        assert!(!sealed.windows(7).any(|part| part == b"private"));
    }

    #[test]
    fn another_master_key_another_id_or_a_changed_bit_opens_nothing() {
        let sealed = seal('a').close("kid", b"private").unwrap();
        let mut changed = sealed.clone();
        changed[NONCE_LEN] ^= 1;

        assert!(seal('b').open("kid", &sealed).is_err());
        assert!(seal('a').open("other", &sealed).is_err());
        assert!(seal('a').open("kid", &changed).is_err());
        assert!(seal('a').open("kid", &sealed[..NONCE_LEN - 1]).is_err());
    }
}
