//! A token taken apart, and what may be said of it before or without its verification.

use serde_json::{Map, Value};

use super::Refusal;
use super::compact::{Compact, object};
use crate::clock::UtcMicros;
use crate::event::{Actor, Identity, TokenFacts, bounded};

/// The longest text of an unverified token that goes into an event, in bytes.
const UNVERIFIED_TEXT_MAX: usize = 256;

/// A token taken apart, nothing in it believed.
pub(super) struct Unverified<'t> {
    pub(super) jws: Compact<'t>,
    pub(super) claims: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, Refusal> {
        let jws = Compact::parse(token)?;
        let claims = object(&jws.payload)?;
        Ok(Self { jws, claims })
    }

    fn claim_text(&self, name: &str) -> Option<String> {
        let text = self.claims.get(name)?.as_str()?;
        Some(bounded(text, UNVERIFIED_TEXT_MAX))
    }

    pub(super) fn facts(&self, now: UtcMicros) -> TokenFacts {
        let short = |text: &str| bounded(text, UNVERIFIED_TEXT_MAX);
        TokenFacts {
            iss: self.claim_text("iss"),
            kid: self.jws.header_text("kid").map(short),
            alg: self.jws.header_text("alg").map(short),
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
