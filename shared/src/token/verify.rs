//! The one decision whether a token is accepted, for every service (DESIGN §7).
//!
//! Pure: keys, revocations and the time are arguments. Only the signature itself is checked by the library, whose
//! own claim checks have defaults that are unsafe for a verifier (unknown `crit`, `typ`, 60 s of leeway).

use serde_json::{Map, Value};

use super::trust::{AudienceRule, ClaimProfile, IssuerRules, Trust};
use super::unverified::Unverified;
use super::{Algorithm, Refusal, Rejection};
use crate::clock::UtcMicros;
use crate::enforcement::{RevocationSet, Subject};
use crate::event::{Actor, Identity, TokenFacts};

/// The longest token looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

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
        }
    }
}

/// Accepts or refuses `token`.
///
/// Accepted is only a compact JWS of an accepted type, from a trusted issuer, signed with the one algorithm of a key of
/// that issuer, with every claim that the issuer's profile requires, for an audience that `audience` asks for, within
/// its window at `now` give or take the issuer's leeway, and not revoked. Revocations are auth-service's word on its own
/// tokens: another issuer's `sub` may be the same text and is somebody else. At `exp` itself a token is expired
/// (RFC 7519 §4.1.4).
pub fn verify(
    token: &str,
    trust: &Trust,
    audience: AudienceRule,
    revoked: &RevocationSet,
    now: UtcMicros,
) -> Result<Verified, Box<Rejection>> {
    let unverified = Unverified::parse(token).map_err(|refusal| {
        Box::new(Rejection {
            refusal,
            token: TokenFacts::default(),
            actor: Actor::default(),
            decision: None,
        })
    })?;
    let reject = |refusal, identity, decision| {
        Box::new(Rejection {
            refusal,
            token: unverified.facts(now),
            actor: unverified.actor(identity),
            decision,
        })
    };
    let signed =
        verify_signed(&unverified, trust).map_err(|refusal| reject(refusal, Identity::Claimed, None))?;
    let verified = verify_claims(&unverified, &signed, now)
        .map_err(|refusal| reject(refusal, Identity::Verified, None))?;
    if !audience.accepts(signed.rules, &verified.aud) {
        return Err(reject(Refusal::AudienceRefused, Identity::Verified, None));
    }
    if signed.rules.is_gatelog
        && let Some(ban) = revoked.ban(&verified.revocable(), now)
    {
        return Err(reject(ban.cause.into(), Identity::Verified, Some(ban.decision)));
    }
    Ok(verified)
}

/// Who signed a token, and with what.
struct Signed<'r> {
    rules: &'r IssuerRules,
    kid: Option<&'r str>,
    algorithm: Algorithm,
}

/// Everything up to the signature: issuer, type, algorithm, key.
fn verify_signed<'r>(unverified: &'r Unverified<'_>, trust: &'r Trust) -> Result<Signed<'r>, Refusal> {
    let unverified_iss = unverified
        .claims
        .get("iss")
        .and_then(Value::as_str)
        .ok_or(Refusal::IssuerUnknown)?;
    let issuer = trust.issuer(unverified_iss).ok_or(Refusal::IssuerUnknown)?;
    let rules = &issuer.rules;
    // Looked at before the rest, so that what is no key id is malformed whatever else is wrong.
    unverified.jws.kid()?;
    if !unverified
        .jws
        .header_text("typ")
        .is_some_and(|typ| accepts_type(rules, typ))
    {
        return Err(Refusal::TypeRefused);
    }
    let algorithm = unverified.jws.algorithm(&rules.algorithms)?;
    let keys = issuer.keys.as_ref().ok_or(Refusal::KeysUnavailable)?;
    let kid = unverified.jws.verify(keys, algorithm)?;
    Ok(Signed {
        rules,
        kid,
        algorithm,
    })
}

fn accepts_type(rules: &IssuerRules, typ: &str) -> bool {
    rules.types.iter().any(|accepted| has_type(accepted, typ))
}

/// RFC 7515 §4.1.9: compared without regard to case; a value without `/` stands for `application/` and itself.
pub(super) fn has_type(accepted: &str, typ: &str) -> bool {
    let short = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower
            .strip_prefix("application/")
            .map_or(lower.clone(), str::to_owned)
    };
    short(accepted) == short(typ)
}

fn verify_claims(
    unverified: &Unverified<'_>,
    signed: &Signed<'_>,
    now: UtcMicros,
) -> Result<Verified, Refusal> {
    let claims = Claims(&unverified.claims);
    let rules = signed.rules;
    let expires_at = claims.time("exp")?.ok_or(Refusal::ClaimMissing("exp"))?;
    let issued_at = claims.time("iat")?;
    let not_before = claims.time("nbf")?;
    if now >= expires_at.plus(rules.leeway) {
        return Err(Refusal::Expired);
    }
    if [issued_at, not_before]
        .into_iter()
        .flatten()
        .any(|start| now.plus(rules.leeway) < start)
    {
        return Err(Refusal::NotYetValid);
    }
    let named = named(&claims, rules)?;
    Ok(Verified {
        iss: rules.iss.clone(),
        sub: named.sub.ok_or(Refusal::ClaimMissing("sub"))?,
        aud: claims.list("aud", "aud")?.ok_or(Refusal::ClaimMissing("aud"))?,
        expires_at,
        issued_at,
        jti: claims.text("jti")?,
        client_id: named.client_id,
        sid: claims.text("sid")?,
        scopes: named
            .scopes
            .iter()
            .flatten()
            .flat_map(|scopes| scopes.split_ascii_whitespace())
            .map(str::to_owned)
            .collect(),
        roles: named.roles.unwrap_or_default(),
        username: claims.text("username")?,
        kid: signed.kid.map(str::to_owned),
        algorithm: signed.algorithm,
        authenticated_at: claims.time("auth_time")?,
        claims: unverified.claims.clone(),
    })
}

/// Who a token is for and what it lets them do, wherever its issuer says so.
struct Named {
    sub: Option<String>,
    client_id: Option<String>,
    roles: Option<Vec<String>>,
    /// Each with spaces between them, or one.
    scopes: Option<Vec<String>>,
}

fn named(claims: &Claims<'_>, rules: &IssuerRules) -> Result<Named, Refusal> {
    match &rules.profile {
        ClaimProfile::AccessToken => {
            if let Some(missing) = ["iat", "jti", "client_id"]
                .into_iter()
                .find(|name| !claims.has(name))
            {
                return Err(Refusal::ClaimMissing(missing));
            }
            Ok(Named {
                sub: claims.text("sub")?,
                client_id: claims.text("client_id")?,
                roles: claims.list("roles", "roles")?,
                scopes: claims.text("scope")?.map(|scope| vec![scope]),
            })
        }
        ClaimProfile::Mapped {
            sub,
            roles,
            scope,
            client,
        } => Ok(Named {
            sub: claims.mapped_subject(sub)?,
            client_id: claims.mapped_client(client.as_deref().unwrap_or("client_id"))?,
            roles: roles
                .as_deref()
                .map_or(Ok(None), |path| claims.list(path, "roles"))?,
            scopes: claims.list(scope.as_deref().unwrap_or("scope"), "scope")?,
        }),
    }
}

/// Claims of which a wrong type is an error and never taken for an absence.
pub(super) struct Claims<'c>(pub(super) &'c Map<String, Value>);

impl<'c> Claims<'c> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() || name == "scope" => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::ClaimMalformed(name)),
        }
    }

    /// A text, or a list of texts none of which is empty; an error names it by `told`. A scope may be none.
    pub(super) fn list(&self, path: &str, told: &'static str) -> Result<Option<Vec<String>>, Refusal> {
        let one = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty() || told == "scope");
            text.map(str::to_owned)
        };
        let list = match self.at(path) {
            None => return Ok(None),
            Some(Value::Array(values)) => values.iter().map(one).collect::<Option<Vec<_>>>(),
            Some(value) => one(value).map(|text| vec![text]),
        };
        list.map(Some).ok_or(Refusal::ClaimMalformed(told))
    }

    /// The claim of that name; if there is none, the one that the dots lead to. Names may be addresses, which have dots.
    fn at(&self, path: &str) -> Option<&'c Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        Claims(self.0.get(first)?.as_object()?).at(rest)
    }

    /// RFC 7519 §2: a number of seconds, which may have a fraction; rounded down.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<UtcMicros>, Refusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let seconds = value.as_i64().or_else(|| whole_seconds(value.as_f64()?));
        seconds
            .map(|seconds| Some(UtcMicros::from_seconds(seconds)))
            .ok_or(Refusal::ClaimMalformed(name))
    }

    /// Services that know no RFC 9068 often number their users.
    fn mapped_subject(&self, path: &str) -> Result<Option<String>, Refusal> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(Refusal::ClaimMalformed("sub")),
        }
    }

    fn mapped_client(&self, path: &str) -> Result<Option<String>, Refusal> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::ClaimMalformed("client_id")),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before the cast"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    // Beyond 2^53 a float no longer counts seconds one by one.
    (seconds.abs() < 9_007_199_254_740_992.0).then(|| seconds.floor() as i64)
}
