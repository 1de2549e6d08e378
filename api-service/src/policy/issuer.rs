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

/// Where keys come from. Always from settings, never from a token.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// A key set that is fetched.
    Fetched(Uri),
    /// A secret from a file, for HS256.
    Secret(Arc<KeySet>),
}
