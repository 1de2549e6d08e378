//! An issuer as the policy trusts it, and how it is read from the file.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use shared::token::{
    Algorithm, ClaimProfile, GATELOG_AUDIENCE, IssuerRules, KEYS_AGE_MAX, KeySet, TOKEN_TYPE,
};

use super::file::IssuerTable;
use super::load::Checker;

/// More leeway than a minute defeats short lifetimes.
const LEEWAY_SECONDS_MAX: u64 = 60;

/// Less than a round of refreshes would be no help in an outage, more than a week would keep keys that were withdrawn long ago.
const MAX_STALE_SECONDS: RangeInclusive<u64> = 3_600..=7 * 24 * 3_600;

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

impl Checker<'_> {
    /// Gatelog's own issuer and those of the file.
    pub(super) fn issuers(
        &mut self,
        audience: Vec<String>,
        tables: BTreeMap<String, IssuerTable>,
    ) -> Vec<PolicyIssuer> {
        self.check_audience("audience", &audience);
        let own = self.surroundings.issuer.clone();
        let auth_url = self.surroundings.auth_url.trim_end_matches('/').to_owned();
        let keys = self.fetched("auth_url", &format!("{auth_url}/.well-known/jwks.json"));
        let gatelog = keys.map(|keys| PolicyIssuer {
            rules: IssuerRules::gatelog(&own, audience),
            keys,
        });
        let mut seen = HashSet::from([own]);
        let mut issuers: Vec<_> = gatelog.into_iter().collect();
        for (name, table) in tables {
            if !seen.insert(table.url.clone()) {
                self.problem(format!("issuer.{name}: two issuers have the url {}", table.url));
            }
            issuers.extend(self.issuer(&name, table));
        }
        issuers
    }

    fn issuer(&mut self, name: &str, table: IssuerTable) -> Option<PolicyIssuer> {
        let at = format!("issuer.{name}");
        if table.audience.is_empty() {
            self.problem(format!(
                "{at}: `audience` names the audiences that are accepted, at least one"
            ));
        }
        self.check_audience(&at, &table.audience);
        let leeway = table.leeway_seconds.unwrap_or(5);
        if leeway > LEEWAY_SECONDS_MAX {
            self.problem(format!("{at}: `leeway_seconds` is {LEEWAY_SECONDS_MAX} at most"));
        }
        let max_stale = table.max_stale_seconds.unwrap_or(KEYS_AGE_MAX.as_secs());
        if !MAX_STALE_SECONDS.contains(&max_stale) {
            self.problem(format!(
                "{at}: `max_stale_seconds` is {} to {}",
                MAX_STALE_SECONDS.start(),
                MAX_STALE_SECONDS.end()
            ));
        }
        let keys = self.issuer_keys(&at, &table);
        let algorithms = self.algorithms(&at, &table);
        let rules = IssuerRules {
            is_gatelog: false,
            algorithms,
            types: table.typ.unwrap_or_else(|| vec![TOKEN_TYPE.to_owned()]),
            leeway: Duration::from_secs(leeway),
            profile: match table.claims {
                None => ClaimProfile::AccessToken,
                Some(claims) => ClaimProfile::Mapped {
                    sub: claims.sub,
                    roles: claims.roles,
                    scope: claims.scope,
                    client: claims.client,
                },
            },
            keys_age_max: Duration::from_secs(max_stale),
            iss: table.url,
            audience: table.audience,
        };
        Some(PolicyIssuer { rules, keys: keys? })
    }

    fn check_audience(&mut self, at: &str, audience: &[String]) {
        if audience.iter().any(|name| name == GATELOG_AUDIENCE) {
            self.problem(format!(
                "{at}: the audience `{GATELOG_AUDIENCE}` is Gatelog's own and never that of an API"
            ));
        }
    }

    fn issuer_keys(&mut self, at: &str, table: &IssuerTable) -> Option<IssuerKeys> {
        match (&table.secret_file, &table.jwks) {
            (Some(_), Some(_)) => {
                self.problem(format!("{at}: `jwks` and `secret_file` exclude each other"));
                None
            }
            (Some(path), None) => match std::fs::read(path) {
                Ok(bytes) => match KeySet::from_secret(trimmed(&bytes)) {
                    Ok(keys) => Some(IssuerKeys::Secret(Arc::new(keys))),
                    Err(error) => self.refuse(format!("{at}: {}: {error}", path.display())),
                },
                Err(error) => self.refuse(format!("{at}: cannot read {}: {error}", path.display())),
            },
            (None, Some(jwks)) => self.fetched(at, jwks),
            (None, None) => self.refuse(format!("{at}: needs `jwks` or `secret_file`")),
        }
    }

    fn fetched(&mut self, at: &str, jwks: &str) -> Option<IssuerKeys> {
        match jwks.parse::<Uri>() {
            Ok(uri) if uri.scheme().is_some() && uri.authority().is_some() => Some(IssuerKeys::Fetched(uri)),
            _ => self.refuse(format!("{at}: `jwks` = {jwks:?} is not an http or https URL")),
        }
    }

    fn algorithms(&mut self, at: &str, table: &IssuerTable) -> Vec<Algorithm> {
        let has_secret = table.secret_file.is_some();
        let Some(names) = &table.algs else {
            return if has_secret {
                vec![Algorithm::Hs256]
            } else {
                vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
            };
        };
        let mut algorithms = Vec::new();
        for name in names {
            match name.parse::<Algorithm>() {
                Ok(algorithm) if (algorithm == Algorithm::Hs256) == has_secret => algorithms.push(algorithm),
                Ok(_) => self.problem(format!(
                    "{at}: HS256 goes with `secret_file`, every other algorithm with `jwks`"
                )),
                Err(error) => self.problem(format!("{at}: `algs` names {name:?}, {error}")),
            }
        }
        algorithms
    }
}

/// A secret without the line feed that editors put at a file's end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
