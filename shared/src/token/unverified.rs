//! A token taken apart, and what may be said of it before or without its verification.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Refusal;
use super::json::UniqueObject;
use super::verify::TOKEN_BYTES_MAX;
use crate::clock::UtcMicros;
use crate::event::{Actor, Identity, TokenFacts, bounded};

/// The longest text of an unverified token that goes into an event, in bytes.
const UNVERIFIED_TEXT_MAX: usize = 256;

/// A token taken apart, nothing in it believed.
pub(super) struct Unverified<'t> {
    pub(super) message: &'t str,
    pub(super) signature: &'t str,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        // A further dot stays in `claims`, where it is no base64url.
        let (header, claims) = message.split_once('.').ok_or(Refusal::Malformed)?;
        let header = decode_object(header)?;
        // RFC 7797's `b64: false` changes what is signed; it is refused like every other extension.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Refusal::CriticalHeader);
        }
        Ok(Self {
            message,
            signature,
            header,
            claims: decode_object(claims)?,
        })
    }

    pub(super) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    fn claim_text(&self, name: &str) -> Option<String> {
        let text = self.claims.get(name)?.as_str()?;
        Some(bounded(text, UNVERIFIED_TEXT_MAX))
    }

    pub(super) fn facts(&self, now: UtcMicros) -> TokenFacts {
        let short = |text: &str| bounded(text, UNVERIFIED_TEXT_MAX);
        TokenFacts {
            iss: self.claim_text("iss"),
            kid: self.header_text("kid").map(short),
            alg: self.header_text("alg").map(short),
            age_s: self
                .claims
                .get("iat")
                .and_then(Value::as_i64)
                .map(|iat| now.as_seconds().saturating_sub(iat)),
        }
    }

    pub(super) fn actor(&self, identity: Identity) -> Actor {
        let sub = self.claim_text("sub");
        let named = sub.is_some()
            || ["client_id", "sid", "jti"]
                .iter()
                .any(|name| self.claims.contains_key(*name));
        Actor {
            identity: if named { identity } else { Identity::None },
            sub,
            username: self.claim_text("username"),
            client_id: self.claim_text("client_id"),
            roles: Vec::new(),
            sid: self.claim_text("sid"),
            jti: self.claim_text("jti"),
        }
    }
}

fn decode_object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    let UniqueObject(members) = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
    Ok(members)
}
