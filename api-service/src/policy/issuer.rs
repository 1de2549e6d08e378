//! An issuer as the policy trusts it.

use std::sync::Arc;

use http::Uri;
use shared::token::{IssuerRules, KeySet};

/// An issuer and where its keys come from.
#[derive(Clone, Debug)]
pub struct PolicyIssuer {
    /// What is accepted from it.
    pub rules: IssuerRules,
    /// Where its keys come from.
    pub keys: IssuerKeys,
}

impl PolicyIssuer {
    /// Whether what was fetched for this one is what would be fetched for `other`.
    pub fn has_keys_of(&self, other: &Self) -> bool {
        let is_same_place = match (&self.keys, &other.keys) {
            (IssuerKeys::Fetched(own), IssuerKeys::Fetched(others)) => own == others,
            _ => false,
        };
        is_same_place && self.rules.iss == other.rules.iss
    }
}

/// Where keys come from. Always from settings, never from a token.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// A key set that is fetched.
    Fetched(Uri),
    /// A secret from a file, for HS256.
    Secret(Arc<KeySet>),
}
