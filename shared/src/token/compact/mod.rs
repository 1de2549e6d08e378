//! A compact JWS (RFC 7515 §7.1): taken apart, nothing in it believed, and its signature verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::UniqueObject;
use super::verify::TOKEN_BYTES_MAX;
use super::{Algorithm, KeySet, Refusal};

/// A compact JWS taken apart.
pub(super) struct Compact<'t> {
    message: &'t str,
    signature: &'t str,
    pub(super) header: Map<String, Value>,
    pub(super) payload: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        // A further dot stays in the payload, where it is no base64url.
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        let header = object(&decode(header)?)?;
        // RFC 7797's `b64: false` changes what is signed; it is refused like every other extension.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Refusal::CriticalHeader);
        }
        Ok(Self {
            message,
            signature,
            header,
            payload: decode(payload)?,
        })
    }

    pub(super) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// The id of the key that it says it was signed with.
    pub(super) fn kid(&self) -> Result<Option<&str>, Refusal> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) => Ok(Some(kid)),
            Some(_) => Err(Refusal::Malformed),
        }
    }

    /// The algorithm that it names, if that is one of `accepted`.
    pub(super) fn algorithm(&self, accepted: &[Algorithm]) -> Result<Algorithm, Refusal> {
        self.header_text("alg")
            .and_then(|name| name.parse::<Algorithm>().ok())
            .filter(|algorithm| accepted.contains(algorithm))
            .ok_or(Refusal::AlgorithmRefused)
    }

    /// Verifies that the key of `keys` that it names signed it, with `algorithm`, which has to be the key's own; the
    /// key's id.
    pub(super) fn verify<'r>(
        &'r self,
        keys: &'r KeySet,
        algorithm: Algorithm,
    ) -> Result<Option<&'r str>, Refusal> {
        let (kid, key) = keys.find(self.kid()?).ok_or(Refusal::KeyUnknown)?;
        if key.algorithm != algorithm {
            return Err(Refusal::AlgorithmRefused);
        }
        let message = self.message.as_bytes();
        match jsonwebtoken::crypto::verify(self.signature, message, &key.key, algorithm.library()) {
            Ok(true) => Ok(kid),
            Ok(false) | Err(_) => Err(Refusal::SignatureInvalid),
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

/// A JSON object in which no name stands twice.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let UniqueObject(members) = serde_json::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    Ok(members)
}

#[cfg(test)]
mod tests;
