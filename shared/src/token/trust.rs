//! Which issuers are trusted, for what, and with which keys.

use std::sync::Arc;
use std::time::Duration;

use super::{Algorithm, KeySet, TOKEN_TYPE};
use crate::clock::UtcMicros;

/// The audience of Gatelog's own end points; never that of an API behind the door.
pub const GATELOG_AUDIENCE: &str = "gatelog";

/// How far clocks may differ, in every comparison of times.
const LEEWAY: Duration = Duration::from_secs(5);

/// For how long keys are used that could not be fetched again, unless the issuer's rules say otherwise.
pub const KEYS_AGE_MAX: Duration = Duration::from_hours(24);

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
    /// How old its fetched keys may be; older ones are no keys.
    pub keys_age_max: Duration,
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
            keys_age_max: KEYS_AGE_MAX,
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
    pub rules: Arc<IssuerRules>,
    /// Its keys; `None` while they could not be fetched.
    pub keys: Option<KnownKeys>,
}

/// An issuer's keys and since when they are known to be so.
#[derive(Clone, Debug)]
pub struct KnownKeys {
    set: Arc<KeySet>,
    /// `None` for keys that are ours to know, such as a secret of the settings: these do not age.
    heard: Option<HeardKeys>,
}

/// When keys were heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardKeys {
    /// When the issuer was asked for them.
    pub at: UtcMicros,
    /// When it should have been asked again; from then on they are stale, and used all the same for a while.
    pub fresh_until: UtcMicros,
}

impl TrustedIssuer {
    /// An issuer whose keys are not known yet.
    pub fn without_keys(rules: IssuerRules) -> Self {
        Self {
            rules: Arc::new(rules),
            keys: None,
        }
    }

    /// An issuer whose keys are ours to know.
    pub fn with_keys(rules: IssuerRules, set: impl Into<Arc<KeySet>>) -> Self {
        Self {
            rules: Arc::new(rules),
            keys: Some(KnownKeys {
                set: set.into(),
                heard: None,
            }),
        }
    }

    /// The keys that may be used at `now`.
    pub(super) fn keys_at(&self, now: UtcMicros) -> Option<&Arc<KeySet>> {
        let known = self.keys.as_ref()?;
        let is_too_old = known
            .heard
            .is_some_and(|heard| now.since(heard.at) > self.rules.keys_age_max);
        (!is_too_old).then_some(&known.set)
    }

    /// The keys, however old.
    pub(super) fn known_keys(&self) -> Option<&Arc<KeySet>> {
        self.keys.as_ref().map(|known| &known.set)
    }

    /// Whether there are keys that may be used at `now`.
    pub fn has_keys(&self, now: UtcMicros) -> bool {
        self.keys_at(now).is_some()
    }

    /// How old its keys are at `now`, if they are known by hearing.
    pub fn keys_age(&self, now: UtcMicros) -> Option<Duration> {
        let heard = self.keys.as_ref()?.heard?;
        Some(now.since(heard.at))
    }

    /// How old its keys are at `now`, if they should have been asked for again and were not.
    pub fn stale_keys_age(&self, now: UtcMicros) -> Option<Duration> {
        let heard = self.keys.as_ref()?.heard?;
        (now > heard.fresh_until).then(|| now.since(heard.at))
    }

    /// Whether it has a key of that id, however old.
    pub fn knows_key(&self, kid: &str) -> bool {
        self.keys.as_ref().is_some_and(|known| known.set.knows(kid))
    }
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

    /// Whether `iss` has the very same key set in both.
    pub fn has_same_keys(&self, other: &Self, iss: &str) -> bool {
        let keys = |trust: &Self| trust.issuer(iss).and_then(TrustedIssuer::known_keys).cloned();
        match (keys(self), keys(other)) {
            (Some(own), Some(others)) => Arc::ptr_eq(&own, &others),
            (own, others) => own.is_none() && others.is_none(),
        }
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

    /// The same trust with other keys for `iss`, known by hearing or ours to know. A set that is as it was stays the same one.
    #[must_use]
    pub fn with_keys(&self, iss: &str, keys: &Arc<KeySet>, heard: Option<HeardKeys>) -> Self {
        let mut changed = self.clone();
        for issuer in changed
            .issuers
            .iter_mut()
            .filter(|issuer| issuer.rules.iss == iss)
        {
            let former = issuer.keys.take().map(|known| known.set);
            let set = former.filter(|former| former.is_same(keys));
            issuer.keys = Some(KnownKeys {
                set: set.unwrap_or_else(|| Arc::clone(keys)),
                heard,
            });
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
