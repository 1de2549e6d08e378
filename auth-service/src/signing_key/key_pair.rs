//! A key pair of one algorithm: made, read, and used to sign.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use shared::token::Algorithm;
use zeroize::Zeroizing;

use super::jwk::PublicKey;

/// A private key in memory, parsed once.
pub(super) enum KeyPair {
    Ed25519(Box<Ed25519KeyPair>),
    P256(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyPair(…)")
    }
}

impl KeyPair {
    /// A fresh pair and its private half as PKCS #8 of version 1, which every library reads. An RSA key of 3072 bits (128 bits
    /// of strength, ASVS 11.2.3) takes most of a second.
    pub(super) fn fresh(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), Unspecified> {
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate()?;
                let private = Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec());
                Ok((Self::Ed25519(Box::new(pair)), private))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let private = Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec());
                Ok((Self::P256(Box::new(pair)), private))
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072)?;
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                let private = Zeroizing::new(der.as_ref().to_vec());
                Ok((Self::Rsa(Box::new(pair)), private))
            }
            // Who verifies with a shared secret could mint with it.
            Algorithm::Hs256 => Err(Unspecified),
        }
    }

    /// The pair of a private half that [`Self::fresh`] made.
    pub(super) fn read(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyRejected> {
        Ok(match algorithm {
            Algorithm::EdDsa => Self::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8_maybe_unchecked(private)?)),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)?;
                Self::P256(Box::new(pair))
            }
            Algorithm::Rs256 | Algorithm::Hs256 => Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(private)?)),
        })
    }

    /// The half that everybody may have.
    pub(super) fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(pair) => PublicKey::Ed25519 {
                x: pair.public_key().as_ref().to_vec(),
            },
            Self::P256(pair) => PublicKey::p256(pair.public_key().as_ref()),
            Self::Rsa(pair) => PublicKey::Rsa {
                n: pair
                    .public_key()
                    .modulus()
                    .big_endian_without_leading_zero()
                    .to_vec(),
                e: pair
                    .public_key()
                    .exponent()
                    .big_endian_without_leading_zero()
                    .to_vec(),
            },
        }
    }

    /// The signature of `message` as RFC 7518 §3 writes it.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::P256(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// jsonwebtoken and others take no version 2, which also holds the public half (83 bytes).
    #[test]
    fn a_private_ed25519_key_is_kept_as_pkcs8_of_version_1() {
        let (_, private) = KeyPair::fresh(Algorithm::EdDsa).unwrap();

        assert_eq!(private.len(), 48);
    }

    #[test]
    fn a_key_that_was_kept_is_the_same_key() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let (pair, private) = KeyPair::fresh(algorithm).unwrap();

            let read = KeyPair::read(algorithm, &private).unwrap();

            assert_eq!(read.public(), pair.public(), "{algorithm}");
            assert_eq!(read.public().kid(), pair.public().kid(), "{algorithm}");
        }
        assert!(KeyPair::fresh(Algorithm::Hs256).is_err());
    }
}
