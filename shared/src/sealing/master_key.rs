//! The one key from which all keys that protect the database are derived; it never touches the database itself.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::{Zeroize as _, Zeroizing};

/// Its length in bytes, and that of every key derived from it.
const LENGTH: usize = 32;

/// 256 random bits. Never shown.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; LENGTH]>);

/// Not a master key. Does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is {} hexadecimal digits", LENGTH * 2)]
pub struct InvalidMasterKey;

/// A key could not be derived, which the library does for wrong lengths only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key could not be derived from the master key")]
pub struct Underivable;

impl FromStr for MasterKey {
    type Err = InvalidMasterKey;

    fn from_str(text: &str) -> Result<Self, InvalidMasterKey> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        if text.len() != LENGTH * 2 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidMasterKey);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(InvalidMasterKey)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidMasterKey)?;
        }
        Ok(Self(bytes))
    }
}

impl MasterKey {
    /// The key for one purpose (HKDF-SHA-256, RFC 5869): knowing it tells nothing about those for other purposes.
    pub fn derive(&self, purpose: &'static str) -> Result<Zeroizing<[u8; LENGTH]>, Underivable> {
        let mut derived = Zeroizing::new([0; LENGTH]);
        Salt::none(HKDF_SHA256)
            .extract(self.0.as_slice())
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|key| key.fill(derived.as_mut_slice()))
            .map_err(|_| {
                derived.zeroize();
                Underivable
            })?;
        Ok(derived)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hexadecimal_digits_are_a_key() {
        assert!("0f".repeat(32).parse::<MasterKey>().is_ok());
        for wrong in ["", "0f", &"0g".repeat(32), &"+1".repeat(32), &"ä".repeat(32)] {
            assert_eq!(
                wrong.parse::<MasterKey>().err(),
                Some(InvalidMasterKey),
                "{wrong}"
            );
        }
    }

    #[test]
    fn each_purpose_and_each_master_key_has_its_own_key() {
        let key: MasterKey = "0f".repeat(32).parse().unwrap();
        let other: MasterKey = "1f".repeat(32).parse().unwrap();

        assert_eq!(key.derive("a").unwrap(), key.derive("a").unwrap());
        assert_ne!(key.derive("a").unwrap(), key.derive("b").unwrap());
        assert_ne!(key.derive("a").unwrap(), other.derive("a").unwrap());
    }

    #[test]
    fn a_key_is_never_shown() {
        let key: MasterKey = "0f".repeat(32).parse().unwrap();

        assert_eq!(format!("{key:?}"), "MasterKey(…)");
    }
}
