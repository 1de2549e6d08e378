//! auth-service's enforcement log as it is read and announced.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::clock::UtcMicros;

/// One line of auth-service's enforcement log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log: entries are committed in this order.
    pub cursor: i64,
    /// What is refused.
    #[serde(flatten)]
    pub target: Target,
    /// When it was revoked; a subject's tokens issued before are refused, later ones are not.
    pub not_before: UtcMicros,
    /// From when on no token that it concerns can be alive, so that it may be forgotten.
    pub expires_at: UtcMicros,
    /// Whether it takes an earlier block of the same target back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lifted: bool,
    /// The id of the decision that it carries out, such as a block's, if somebody can look it up by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What an entry refuses. A verifier that does not know a kind cannot read the page, and refuses rather than guesses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Target {
    /// One token.
    Jti(String),
    /// Every token of a session.
    Sid(String),
    /// Every token of a subject that was issued before.
    Sub(String),
    /// Every token of a client that was issued before.
    ClientId(String),
    /// Every token that a key signed.
    Kid(String),
    /// Every request from an address or a network, with a token or without.
    Address(IpNet),
    /// Every token of a subject, whenever it was issued.
    Subject(String),
    /// Every token of a session, for a time: unlike [`Target::Sid`] it can be taken back.
    Session(String),
    /// One token, for a time: unlike [`Target::Jti`] it can be taken back.
    Token(String),
    /// Every token of a subject that goes back to a sign-in before, for a time: who signs in again is let in.
    StepUp(String),
}

impl Target {
    /// Whether it is kept out for a time and can be let in again; the others are final.
    pub const fn is_block(&self) -> bool {
        matches!(
            self,
            Self::Address(_) | Self::Subject(_) | Self::Session(_) | Self::Token(_) | Self::StepUp(_)
        )
    }
}

/// One answer of `GET /v1/enforcement?since=`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Entries after the cursor asked for, in order, the expired ones left out.
    pub entries: Vec<Entry>,
    /// The cursor to ask with next.
    pub cursor: i64,
    /// Whether there is more to ask for at once.
    pub more: bool,
}

/// What auth-service tells every verifier as soon as it is so, and each second as a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The cursor after which the entries begin; who has not come so far lacks some and asks.
    pub after: i64,
    /// The entries since, none in a mere sign of life.
    #[serde(flatten)]
    pub page: Page,
}
