//! Why a token is refused: a stable code for programs and events, a sentence for people.

use crate::enforcement::BanCause;
use crate::event::{Actor, TokenFacts};

/// Why a token is refused. The texts never quote the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`super::TOKEN_BYTES_MAX`].
    #[error("the token is too long")]
    TooLong,
    /// Not three base64url parts of JSON.
    #[error("the token is not a signed JWT in compact form")]
    Malformed,
    /// It asks for extensions that must be understood (RFC 7515 §4.1.11); none is.
    #[error("the token names critical header extensions, which are not supported")]
    CriticalHeader,
    /// Not an access token.
    #[error("the token is not of a type accepted from its issuer")]
    TypeRefused,
    /// Not an issuer that is trusted here, or none named.
    #[error("the token's issuer is not trusted here")]
    IssuerUnknown,
    /// Not an algorithm accepted from the issuer, or not the key's own.
    #[error("the token's algorithm is not accepted from its issuer")]
    AlgorithmRefused,
    /// The issuer has no such key.
    #[error("the token's key is not among its issuer's keys")]
    KeyUnknown,
    /// The issuer's keys could not be fetched so far: the token may be good.
    #[error("the issuer's keys are not available at the moment")]
    KeysUnavailable,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    SignatureInvalid,
    /// A required claim is missing.
    #[error("the token lacks the claim `{0}`")]
    ClaimMissing(&'static str),
    /// A claim is of the wrong type or empty.
    #[error("the token's claim `{0}` is not of the right form")]
    ClaimMalformed(&'static str),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Made for someone else.
    #[error("the token is not meant for this audience")]
    AudienceRefused,
    /// Revocations have not been heard of for too long: the token may be good, or revoked.
    #[error("revocations are not known at the moment")]
    RevocationsUnknown,
    /// It, its session, subject, client or key was revoked.
    #[error("the token has been revoked")]
    Revoked,
    /// Its subject is kept out for a time.
    #[error("the subject is blocked")]
    SubjectBlocked,
    /// Its session is kept out for a time.
    #[error("the session is blocked")]
    SessionBlocked,
    /// It is kept out for a time.
    #[error("the token is blocked")]
    TokenBlocked,
    /// Its subject must sign in again first.
    #[error("the user must sign in again first")]
    ReauthenticationRequired,
}

impl From<BanCause> for Refusal {
    fn from(cause: BanCause) -> Self {
        match cause {
            BanCause::Revoked => Self::Revoked,
            BanCause::SubjectBlocked => Self::SubjectBlocked,
            BanCause::SessionBlocked => Self::SessionBlocked,
            BanCause::TokenBlocked => Self::TokenBlocked,
            BanCause::StepUpRequired => Self::ReauthenticationRequired,
        }
    }
}

impl Refusal {
    /// The stable code in events and problem details.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::CriticalHeader => "token_critical_header",
            Self::TypeRefused => "token_type_refused",
            Self::IssuerUnknown => "token_issuer_unknown",
            Self::AlgorithmRefused => "token_algorithm_refused",
            Self::KeyUnknown => "token_key_unknown",
            Self::KeysUnavailable => "keys_unavailable",
            Self::SignatureInvalid => "token_signature_invalid",
            Self::ClaimMissing(_) => "token_claim_missing",
            Self::ClaimMalformed(_) => "token_claim_malformed",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::AudienceRefused => "token_audience_refused",
            Self::RevocationsUnknown => "revocations_unknown",
            Self::Revoked => "token_revoked",
            Self::SubjectBlocked => "subject_blocked",
            Self::SessionBlocked => "session_blocked",
            Self::TokenBlocked => "token_blocked",
            Self::ReauthenticationRequired => "reauthentication_required",
        }
    }
}

impl Refusal {
    /// Whether the token may be good and it is we who cannot tell, which is a 503 and never a 401.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::RevocationsUnknown)
    }
}

/// Why a token is refused that was found authentic, and by which decision of the enforcement log, if by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Why.
    pub refusal: Refusal,
    /// The decision.
    pub decision: Option<String>,
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            decision: None,
        }
    }
}

/// A refused token: why, and what it said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub refusal: Refusal,
    /// What its header and issuer claim said, cut to length.
    pub token: TokenFacts,
    /// Whom it named: `verified` if the signature held, `claimed` if not.
    pub actor: Actor,
    /// The decision of the enforcement log by which it is refused, if it is.
    pub decision: Option<String>,
}
