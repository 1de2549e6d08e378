//! Which issuers are trusted, for what, and with which keys.

use std::sync::Arc;
use std::time::Duration;

use super::{Algorithm, KeySet, TOKEN_TYPE};

/// The audience of Gatelog's own end points; never that of an API behind the door.
pub const GATELOG_AUDIENCE: &str = "gatelog";

/// How far clocks may differ, in every comparison of times.
const LEEWAY: Duration = Duration::from_secs(5);

/// What is accepted from one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// The `iss` claim, compared byte for byte.
    pub iss: String,
    /// Whether this is Gatelog's own auth-service, the only one that may speak for [`GATELOG_AUDIENCE`].
    pub is_gatelog: bool,
    /// The audiences accepted for APIs behind the door.
    pub audience: Vec<String>,
    /// The algorithms accepted.
    pub algorithms: Vec<Algorithm>,
    /// The `typ` values accepted, compared as RFC 7515 §4.1.9 says.
    pub types: Vec<String>,
    /// How far its clock may differ from ours.
    pub leeway: Duration,
    /// Which claims are required and what they are called.
    pub profile: ClaimProfile,
}

impl IssuerRules {
    /// The rules for Gatelog's own auth-service, with the audiences of the APIs behind the door.
    pub fn gatelog(iss: &str, audience: Vec<String>) -> Self {
        Self {
            iss: iss.to_owned(),
            is_gatelog: true,
            audience,
            algorithms: vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256],
            types: vec![TOKEN_TYPE.to_owned()],
            leeway: LEEWAY,
            profile: ClaimProfile::AccessToken,
        }
    }
}

/// Which claims an issuer's tokens have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimProfile {
    /// All that RFC 9068 §2.2 requires.
    AccessToken,
    /// `iss`, `aud`, `exp` and a subject; for issuers that know no RFC 9068. Dots in a name lead into objects, unless a claim
    /// has that name itself.
    Mapped {
        /// The claim that holds the subject: a string or a whole number.
        sub: String,
        /// The claim that holds the roles: a string or a list of strings.
        roles: Option<String>,
        /// The claim that holds the scopes: a string with spaces between them or a list of strings; `scope` if not given.
        scope: Option<String>,
        /// The claim that holds the client; `client_id` if not given.
        client: Option<String>,
    },
}

/// An issuer and its keys.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// What is accepted from it.
    pub rules: IssuerRules,
    /// Its keys; `None` while they could not be fetched.
    pub keys: Option<Arc<KeySet>>,
}

/// Everyone who is trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    issuers: Vec<TrustedIssuer>,
}

impl Trust {
    /// Trust in these issuers; of two with the same `iss` the first counts.
    pub const fn new(issuers: Vec<TrustedIssuer>) -> Self {
        Self { issuers }
    }

    /// The issuer of that name.
    pub fn issuer(&self, iss: &str) -> Option<&TrustedIssuer> {
        self.issuers.iter().find(|issuer| issuer.rules.iss == iss)
    }

    /// Every issuer.
    pub fn issuers(&self) -> &[TrustedIssuer] {
        &self.issuers
    }

    /// The same trust with the keys that `former` has for the issuers in `names`, where this one has none.
    #[must_use]
    pub fn with_keys_of(&self, former: &Self, names: &[String]) -> Self {
        let mut changed = self.clone();
        for issuer in changed.issuers.iter_mut().filter(|issuer| issuer.keys.is_none()) {
            if names.contains(&issuer.rules.iss) {
                issuer.keys = former
                    .issuer(&issuer.rules.iss)
                    .and_then(|known| known.keys.clone());
            }
        }
        changed
    }

    /// The same trust with other keys for `iss`.
    #[must_use]
    pub fn with_keys(&self, iss: &str, keys: &Arc<KeySet>) -> Self {
        let mut changed = self.clone();
        for issuer in changed
            .issuers
            .iter_mut()
            .filter(|issuer| issuer.rules.iss == iss)
        {
            issuer.keys = Some(Arc::clone(keys));
        }
        changed
    }
}

/// Which audience an end point asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceRule {
    /// [`GATELOG_AUDIENCE`], from Gatelog's own issuer only.
    Gatelog,
    /// One of those that the issuer is configured with.
    Apis,
    /// Either; for end points that only tell the caller who it is.
    Either,
}

impl AudienceRule {
    pub(super) fn accepts(self, rules: &IssuerRules, audience: &[String]) -> bool {
        let gatelog = || rules.is_gatelog && audience.iter().any(|name| name == GATELOG_AUDIENCE);
        let apis = || {
            audience
                .iter()
                .any(|name| name != GATELOG_AUDIENCE && rules.audience.contains(name))
        };
        match self {
            Self::Gatelog => gatelog(),
            Self::Apis => apis(),
            Self::Either => gatelog() || apis(),
        }
    }
}
