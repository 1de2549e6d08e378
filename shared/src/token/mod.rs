//! Access tokens: their claims, the keys that verify them, and the one function that decides whether one is accepted.

mod algorithm;
mod assertion;
mod claim_values;
mod claims;
mod compact;
mod json;
mod key_set;
mod refusal;
mod rsa_strength;
mod trust;
mod unverified;
mod verified;
mod verify;

pub use algorithm::Algorithm;
pub use assertion::{Assertion, unverified_subject, verify_assertion};
pub use claims::{AccessClaims, TOKEN_TYPE};
pub use key_set::{JwksError, KEY_SET_BYTES_MAX, KeySet, SecretTooShort};
pub use refusal::{Objection, Refusal, Rejection};
pub use trust::{
    AudienceRule, ClaimProfile, GATELOG_AUDIENCE, HeardKeys, IssuerRules, KEYS_AGE_MAX, KnownKeys, Trust,
    TrustedIssuer,
};
pub use verified::Verified;
pub use verify::{Authentic, TOKEN_BYTES_MAX, verify};
