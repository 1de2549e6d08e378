//! The keys that verify one issuer's tokens, each bound to one algorithm.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::Algorithm;
use super::rsa_strength::is_strong_modulus;

/// The largest key set read, in bytes; a generous bound on a few dozen keys.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// The most keys read from one set.
const KEYS_MAX: usize = 64;

/// RFC 7518 §3.2: an HS256 key is at least as long as the hash.
const SECRET_BYTES_MIN: usize = 32;

/// The longest key id looked at.
const KID_LENGTH_MAX: usize = 256;

/// A key and the only algorithm that it may verify with.
#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// It as it was published; `None` for a secret.
    jwk: Option<Jwk>,
}

/// One issuer's keys.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    by_kid: HashMap<String, VerifyingKey>,
    /// The key of an issuer that has one secret and names it by no `kid`.
    unnamed: Option<VerifyingKey>,
}

/// Why bytes are no key set that could verify anything.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// More than 256 KiB or 64 keys.
    #[error("the key set is too large")]
    TooLarge,
    /// Not a JSON Web Key Set (RFC 7517 §5).
    #[error("not a JSON Web Key Set: {0}")]
    Malformed(#[from] serde_json::Error),
    /// No key in it is public, strong enough, named, and meant for signatures.
    #[error("the key set holds no usable key")]
    NoUsableKey,
}

/// A secret shorter than RFC 7518 §3.2 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret for HS256 has at least {SECRET_BYTES_MIN} bytes (RFC 7518 section 3.2)")]
pub struct SecretTooShort;

impl KeySet {
    /// Reads a JSON Web Key Set and keeps the keys that may verify signatures.
    ///
    /// Left out, without an error as long as one remains: symmetric and unknown kinds, keys without or with a repeated
    /// `kid`, for encryption, of another curve than Ed25519 and P-256, RSA that is
    /// below 2048 bits or of a broken generator, with an `alg` that is not
    /// their kind's, or published together with their private half.
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, JwksError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(JwksError::TooLarge);
        }
        let document: Document = serde_json::from_slice(bytes)?;
        if document.keys.len() > KEYS_MAX {
            return Err(JwksError::TooLarge);
        }
        let mut seen: HashMap<String, Option<VerifyingKey>> = HashMap::new();
        for value in document.keys {
            if let Some((kid, key)) = usable_key(value) {
                seen.entry(kid)
                    .and_modify(|repeated| *repeated = None)
                    .or_insert(Some(key));
            }
        }
        let by_kid: HashMap<_, _> = seen
            .into_iter()
            .filter_map(|(kid, key)| Some((kid, key?)))
            .collect();
        if by_kid.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self {
            by_kid,
            unnamed: None,
        })
    }

    /// The one secret of an HS256 issuer; tokens may name any `kid` or none.
    pub fn from_secret(secret: &[u8]) -> Result<Self, SecretTooShort> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort);
        }
        let key = VerifyingKey {
            algorithm: Algorithm::Hs256,
            key: DecodingKey::from_secret(secret),
            jwk: None,
        };
        Ok(Self {
            by_kid: HashMap::new(),
            unnamed: Some(key),
        })
    }

    /// Whether it has a key of that id.
    pub fn knows(&self, kid: &str) -> bool {
        self.by_kid.contains_key(kid)
    }

    /// Whether it has the same keys under the same ids. Sets with a secret are never the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let are_public = self.unnamed.is_none() && other.unnamed.is_none();
        are_public
            && self.by_kid.len() == other.by_kid.len()
            && self.by_kid.keys().all(|kid| self.shares(kid, other))
    }

    /// Whether the key of that id is a published one, and the same in both.
    pub(super) fn shares(&self, kid: &str, other: &Self) -> bool {
        let (own, others) = (self.by_kid.get(kid), other.by_kid.get(kid));
        let published = own.and_then(|key| key.jwk.as_ref());
        published.is_some() && published == others.and_then(|key| key.jwk.as_ref())
    }

    /// The key for a token that names `kid`, and the key's own id: without a `kid`, only a set with a single key can
    /// tell. Revocation looks at the key's own id, which a token cannot leave out.
    pub(super) fn find<'k>(&'k self, kid: Option<&'k str>) -> Option<(Option<&'k str>, &'k VerifyingKey)> {
        if let Some(secret) = &self.unnamed {
            return Some((kid, secret));
        }
        let (own_kid, key) = match kid {
            Some(kid) => self.by_kid.get_key_value(kid)?,
            None if self.by_kid.len() == 1 => self.by_kid.iter().next()?,
            None => return None,
        };
        Some((Some(own_kid), key))
    }
}

fn usable_key(value: Value) -> Option<(String, VerifyingKey)> {
    // Everyone who reads the set could sign with such a key.
    if value.get("d").is_some() {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let kid = jwk
        .common
        .key_id
        .clone()
        .filter(|kid| !kid.is_empty() && kid.len() <= KID_LENGTH_MAX)?;
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let for_verifying = jwk
        .common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDsa, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::Es256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(key) if is_strong_rsa(&key.n) => (Algorithm::Rs256, KeyAlgorithm::RS256),
        _ => return None,
    };
    let own_algorithm = jwk.common.key_algorithm.is_none_or(|alg| alg == named);
    if !for_signatures || !for_verifying || !own_algorithm {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let jwk = Some(jwk);
    Some((kid, VerifyingKey { algorithm, key, jwk }))
}

fn is_strong_rsa(n: &str) -> bool {
    URL_SAFE_NO_PAD.decode(n).is_ok_and(|n| is_strong_modulus(&n))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The key of RFC 8037 appendix A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn jwks(keys: &Value) -> Result<KeySet, JwksError> {
        KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_public_signature_key_is_kept() {
        let set = jwks(
            &json!([{"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "a", "use": "sig", "alg": "EdDSA"}]),
        );

        assert!(set.unwrap().knows("a"));
    }

    #[test]
    fn keys_that_must_not_verify_are_left_out() {
        let short_n = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let cases = [
            (
                "symmetric",
                json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
            ),
            ("without kid", json!({"kty": "OKP", "crv": "Ed25519", "x": X})),
            (
                "for encryption",
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "a", "use": "enc"}),
            ),
            (
                "only for signing",
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "a", "key_ops": ["sign"]}),
            ),
            (
                "of another algorithm",
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "a", "alg": "RS256"}),
            ),
            (
                "weak RSA",
                json!({"kty": "RSA", "n": short_n, "e": "AQAB", "kid": "a"}),
            ),
            (
                "with its private half",
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "d": X, "kid": "a"}),
            ),
            ("garbage", json!("key")),
        ];
        for (name, key) in cases {
            assert!(
                matches!(jwks(&json!([key])), Err(JwksError::NoUsableKey)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_repeated_kid_names_no_key_at_all() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "twice"});
        let other = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "once"});

        let set = jwks(&json!([key, other, key])).unwrap();

        assert!(!set.knows("twice"));
        assert!(set.knows("once"));
    }

    #[test]
    fn a_set_beyond_the_bounds_is_refused() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "a"});
        let many = Value::Array(vec![key; KEYS_MAX + 1]);

        assert!(matches!(jwks(&many), Err(JwksError::TooLarge)));
        assert!(matches!(
            KeySet::from_jwks(&vec![b' '; KEY_SET_BYTES_MAX + 1]),
            Err(JwksError::TooLarge)
        ));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(KeySet::from_secret(&[7; 31]).err(), Some(SecretTooShort));
        assert!(KeySet::from_secret(&[7; 32]).is_ok());
    }
}
