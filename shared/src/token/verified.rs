//! What is known of a token that was accepted.

use serde_json::{Map, Value};

use super::Algorithm;
use super::claim_values::Claims;
use crate::clock::UtcMicros;
use crate::enforcement::Subject;
use crate::event::{Actor, Identity, TokenFacts};

/// A token that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The issuer.
    pub iss: String,
    /// The subject.
    pub sub: String,
    /// Its audiences.
    pub aud: Vec<String>,
    /// From when on it is refused.
    pub expires_at: UtcMicros,
    /// When it was minted.
    pub issued_at: Option<UtcMicros>,
    /// Its own id.
    pub jti: Option<String>,
    /// The client it was minted for.
    pub client_id: Option<String>,
    /// Its session.
    pub sid: Option<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// The subject's roles.
    pub roles: Vec<String>,
    /// The name that the subject signs in with.
    pub username: Option<String>,
    /// The key that signed it.
    pub kid: Option<String>,
    /// The algorithm it was signed with.
    pub algorithm: Algorithm,
    /// When the subject proved who it is (`auth_time`).
    pub authenticated_at: Option<UtcMicros>,
    /// Every claim as it stands in the token.
    pub claims: Map<String, Value>,
}

impl Verified {
    /// Whether it has that scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// The claim of that name; if there is none, the one that the dots in it lead to.
    pub fn claim(&self, path: &str) -> Option<&Value> {
        Claims(&self.claims).at(path)
    }

    /// Whom an event names for it.
    pub fn actor(&self) -> Actor {
        Actor {
            identity: Identity::Verified,
            sub: Some(self.sub.clone()),
            username: self.username.clone(),
            client_id: self.client_id.clone(),
            roles: self.roles.clone(),
            sid: self.sid.clone(),
            jti: self.jti.clone(),
        }
    }

    /// What an event says of it.
    pub fn facts(&self, now: UtcMicros) -> TokenFacts {
        TokenFacts {
            iss: Some(self.iss.clone()),
            kid: self.kid.clone(),
            alg: Some(self.algorithm.to_string()),
            age_s: self
                .issued_at
                .map(|issued_at| now.as_seconds() - issued_at.as_seconds()),
        }
    }

    /// What a revocation can name of it.
    pub fn revocable(&self) -> Subject<'_> {
        Subject {
            jti: self.jti.as_deref(),
            sid: self.sid.as_deref(),
            sub: &self.sub,
            client_id: self.client_id.as_deref(),
            kid: self.kid.as_deref(),
            issued_at: self.issued_at,
            authenticated_at: self.authenticated_at.or(self.issued_at),
        }
    }
}
