//! The keys in memory: the one that signs, parsed once, and the published set, written once.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use shared::token::Algorithm;
use zeroize::Zeroizing;

use super::seal::{Seal, WrongMasterKey};

/// A key that signs.
pub(crate) struct SigningKey {
    /// Its RFC 7638 thumbprint.
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: Vec<u8>,
    pair: Ed25519KeyPair,
}

/// A key as it is stored.
#[derive(Debug)]
pub(super) struct StoredKey {
    pub(super) kid: String,
    pub(super) algorithm: String,
    pub(super) is_active: bool,
    pub(super) public: Vec<u8>,
    pub(super) sealed_private: Vec<u8>,
}

/// Why the stored keys are of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyRingError {
    #[error(transparent)]
    WrongMasterKey(#[from] WrongMasterKey),
    #[error("the database holds a signing key that is damaged: {0}")]
    Damaged(#[from] KeyRejected),
    #[error("the database holds a signing key of an algorithm that this version does not know")]
    UnknownAlgorithm,
    #[error("the database holds no active signing key")]
    NoneActive,
}

/// The keys of a database.
#[derive(Debug)]
pub(crate) struct KeyRing {
    active: SigningKey,
    jwks: Vec<u8>,
    etag: String,
}

impl SigningKey {
    /// A fresh key and its private half as PKCS #8 of version 1, which every library reads.
    pub(super) fn fresh() -> Result<(Self, Zeroizing<Vec<u8>>), Unspecified> {
        let pair = Ed25519KeyPair::generate()?;
        let private = Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec());
        Ok((Self::of(pair), private))
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        let public = pair.public_key().as_ref().to_vec();
        Self {
            kid: thumbprint(&public),
            algorithm: Algorithm::EdDsa,
            public,
            pair,
        }
    }

    /// The signature of `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        Ok(self.pair.try_sign(message)?.as_ref().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}

impl KeyRing {
    /// Opens the active key and writes the published set.
    pub(super) fn open(stored: Vec<StoredKey>, seal: &Seal) -> Result<Self, KeyRingError> {
        if stored
            .iter()
            .any(|key| key.algorithm != Algorithm::EdDsa.as_str())
        {
            return Err(KeyRingError::UnknownAlgorithm);
        }
        let keys: Vec<_> = stored
            .iter()
            .map(|key| public_jwk(&key.kid, &key.public))
            .collect();
        let jwks = json!({ "keys": keys }).to_string().into_bytes();
        let active = stored
            .into_iter()
            .find(|key| key.is_active)
            .ok_or(KeyRingError::NoneActive)?;
        let private = seal.open(&active.kid, &active.sealed_private)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private)?;
        Ok(Self {
            active: SigningKey::of(pair),
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, &jwks).as_ref())),
            jwks,
        })
    }

    /// The key that signs.
    pub(crate) const fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The JSON Web Key Set (RFC 7517 §5) of every key that may have signed a living token.
    pub(crate) fn jwks(&self) -> &[u8] {
        &self.jwks
    }

    /// Changes whenever the set does.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }
}

/// RFC 8037 §2. Holds no private member: only the public half gets here.
fn public_jwk(kid: &str, public: &[u8]) -> serde_json::Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(public),
        "use": "sig",
        "alg": Algorithm::EdDsa.as_str(),
        "kid": kid,
    })
}

/// RFC 7638 §3 with the members that RFC 8037 §2 names, in their lexicographic order.
fn thumbprint(public: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037 appendix A.2 and A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let public = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();

        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    /// jsonwebtoken and others take no version 2, which also holds the public half (83 bytes).
    #[test]
    fn a_private_key_is_kept_as_pkcs8_of_version_1() {
        let (_, private) = SigningKey::fresh().unwrap();

        assert_eq!(private.len(), 48);
    }

    #[test]
    fn a_stored_key_signs_as_before_and_its_set_verifies() {
        let seal = Seal::new(&"ab".repeat(32).parse().unwrap()).unwrap();
        let (key, private) = SigningKey::fresh().unwrap();
        let stored = StoredKey {
            kid: key.kid.clone(),
            algorithm: key.algorithm.to_string(),
            is_active: true,
            public: key.public.clone(),
            sealed_private: seal.close(&key.kid, &private).unwrap(),
        };

        let ring = KeyRing::open(vec![stored], &seal).unwrap();

        assert_eq!(ring.active().sign(b"m").unwrap(), key.sign(b"m").unwrap());
        assert!(
            shared::token::KeySet::from_jwks(ring.jwks())
                .unwrap()
                .knows(&key.kid)
        );
    }

    #[test]
    fn the_published_set_has_public_members_only() {
        let (key, _) = SigningKey::fresh().unwrap();

        let jwk = public_jwk(&key.kid, &key.public);

        let mut members: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
