//! Access tokens: their claims, the keys that verify them, and the one function that decides whether one is accepted.

mod algorithm;
mod assertion;
mod claims;
mod compact;
mod json;
mod key_set;
mod refusal;
mod rsa_strength;
mod trust;
mod unverified;
mod verify;

pub use algorithm::Algorithm;
pub use assertion::{Assertion, unverified_subject, verify_assertion};
pub use claims::{AccessClaims, TOKEN_TYPE};
pub use key_set::{JwksError, KeySet, SecretTooShort};
pub use refusal::{Refusal, Rejection};
pub use trust::{AudienceRule, ClaimProfile, GATELOG_AUDIENCE, IssuerRules, Trust, TrustedIssuer};
pub use verify::{TOKEN_BYTES_MAX, Verified, verify};
