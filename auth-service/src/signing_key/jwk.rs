//! Public keys as the world gets them (RFC 7517), and the names that follow from them (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared::token::Algorithm;

/// Bytes of one coordinate on P-256.
const P256_COORDINATE: usize = 32;

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// RFC 8037 §2.
    Ed25519 { x: Vec<u8> },
    /// RFC 7518 §6.2.
    P256 { x: Vec<u8>, y: Vec<u8> },
    /// RFC 7518 §6.3.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl PublicKey {
    /// From an uncompressed point (SEC 1 §2.3.3): one byte, then both coordinates.
    pub(super) fn p256(point: &[u8]) -> Self {
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at_checked(P256_COORDINATE).unwrap_or_default();
        Self::P256 {
            x: x.to_vec(),
            y: y.to_vec(),
        }
    }

    /// As it is published. There is no private member to leave out: only public halves get here.
    pub(super) fn jwk(&self, kid: &str, algorithm: Algorithm) -> Value {
        let mut jwk = self.required_members();
        if let Value::Object(members) = &mut jwk {
            members.insert("use".into(), "sig".into());
            members.insert("alg".into(), algorithm.as_str().into());
            members.insert("kid".into(), kid.into());
        }
        jwk
    }

    /// The thumbprint of RFC 7638 §3: SHA-256 over the required members in lexicographic order, without white space.
    pub(super) fn kid(&self) -> String {
        // The members of a `serde_json` map are in lexicographic order.
        let canonical = self.required_members().to_string();
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref())
    }

    fn required_members(&self) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519 { x } => json!({ "crv": "Ed25519", "kty": "OKP", "x": encoded(x) }),
            Self::P256 { x, y } => json!({ "crv": "P-256", "kty": "EC", "x": encoded(x), "y": encoded(y) }),
            Self::Rsa { n, e } => json!({ "e": encoded(e), "kty": "RSA", "n": encoded(n) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8037 appendix A.2 and A.3.
    #[test]
    fn the_thumbprint_of_an_ed25519_key_is_that_of_rfc_8037() {
        let key = PublicKey::Ed25519 {
            x: decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        };

        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_of_an_rsa_key_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn\
            jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvR\
            L5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let n: String = n.split_whitespace().collect();
        let key = PublicKey::Rsa {
            n: decoded(&n),
            e: decoded("AQAB"),
        };

        assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn what_is_published_has_public_members_only() {
        for (key, algorithm, expected) in [
            (
                PublicKey::Ed25519 { x: vec![1] },
                Algorithm::EdDsa,
                "alg crv kid kty use x",
            ),
            (
                PublicKey::p256(&[4; 65]),
                Algorithm::Es256,
                "alg crv kid kty use x y",
            ),
            (
                PublicKey::Rsa {
                    n: vec![1],
                    e: vec![3],
                },
                Algorithm::Rs256,
                "alg e kid kty n use",
            ),
        ] {
            let jwk = key.jwk("k", algorithm);

            let members: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members.join(" "), expected);
        }
    }
}
