//! The one decision whether a token is accepted, for every service (DESIGN §7).
//!
//! Pure: keys, revocations and the time are arguments. Only the signature itself is checked by the library, whose
//! own claim checks have defaults that are unsafe for a verifier (unknown `crit`, `typ`, 60 s of leeway).

use std::sync::Arc;

use serde_json::Value;

use super::claim_values::{Claims, named};
use super::trust::{AudienceRule, IssuerRules, Trust, TrustedIssuer};
use super::unverified::Unverified;
use super::{Algorithm, KeySet, Objection, Refusal, Rejection, Verified};
use crate::clock::UtcMicros;
use crate::enforcement::RevocationSet;
use crate::event::{Actor, Identity, TokenFacts};

/// The longest token looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

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
    let authentic = Authentic::of(token, trust, now)?;
    match authentic.accept(audience, revoked, now) {
        Ok(()) => Ok(authentic.verified),
        Err(objection) => Err(authentic.rejection(objection, now)),
    }
}

/// A token whose signature and claims were found good: the part of [`verify`] that holds for as long as its issuer's rules and
/// keys do, and so the part that may be remembered. Whether it is accepted is to be asked each time.
#[derive(Clone, Debug)]
pub struct Authentic {
    verified: Verified,
    not_before: Option<UtcMicros>,
    rules: Arc<IssuerRules>,
    keys: Arc<KeySet>,
}

impl Authentic {
    /// Takes a token apart and verifies what does not depend on who asks and when.
    pub fn of(token: &str, trust: &Trust, now: UtcMicros) -> Result<Self, Box<Rejection>> {
        let unverified = Unverified::parse(token)
            .map_err(|refusal| reject(refusal.into(), TokenFacts::default(), Actor::default()))?;
        let decided = verify_signed(&unverified, trust, now)
            .map_err(|refusal| (refusal, Identity::Claimed))
            .and_then(|signed| {
                verify_claims(&unverified, &signed).map_err(|refusal| (refusal, Identity::Verified))
            });
        decided.map_err(|(refusal, identity)| {
            reject(refusal.into(), unverified.facts(now), unverified.actor(identity))
        })
    }

    /// What it says.
    pub const fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Whether its issuer is trusted by the same rules and with the same keys as when it was verified.
    pub fn is_backed_by(&self, trust: &Trust, now: UtcMicros) -> bool {
        trust.issuer(&self.verified.iss).is_some_and(|issuer| {
            let keys = issuer.keys_at(now);
            Arc::ptr_eq(&issuer.rules, &self.rules) && keys.is_some_and(|keys| Arc::ptr_eq(keys, &self.keys))
        })
    }

    /// Whether its time is over for good.
    pub fn is_over(&self, now: UtcMicros) -> bool {
        now >= self.verified.expires_at.plus(self.rules.leeway)
    }

    /// Accepts or refuses it for an audience at a moment.
    pub fn accept(
        &self,
        audience: AudienceRule,
        revoked: &RevocationSet,
        now: UtcMicros,
    ) -> Result<(), Objection> {
        self.check_window(&self.rules, now)?;
        self.check_standing(&self.rules, audience, revoked, now)
    }

    /// Why it would not be accepted any more that was accepted before, by what is trusted now. That it has expired is said last.
    /// That its issuer's keys are too old at the moment is no reason: they may still be so.
    pub fn objection(
        &self,
        trust: &Trust,
        audience: AudienceRule,
        revoked: &RevocationSet,
        now: UtcMicros,
    ) -> Option<Objection> {
        let Some(issuer) = trust.issuer(&self.verified.iss) else {
            return Some(Refusal::IssuerUnknown.into());
        };
        if issuer.known_keys().is_some_and(|keys| !self.is_signed_by(keys)) {
            return Some(Refusal::KeyUnknown.into());
        }
        let rules = &issuer.rules;
        if !rules.algorithms.contains(&self.verified.algorithm) {
            return Some(Refusal::AlgorithmRefused.into());
        }
        let standing = self.check_standing(rules, audience, revoked, now);
        let checked = standing.and_then(|()| self.check_window(rules, now));
        checked.err()
    }

    /// Whether the key that signed it is one of `keys`.
    fn is_signed_by(&self, keys: &Arc<KeySet>) -> bool {
        let kid = self.verified.kid.as_deref();
        Arc::ptr_eq(keys, &self.keys) || kid.is_some_and(|kid| self.keys.shares(kid, keys))
    }

    fn check_window(&self, rules: &IssuerRules, now: UtcMicros) -> Result<(), Objection> {
        let verified = &self.verified;
        if now >= verified.expires_at.plus(rules.leeway) {
            return Err(Refusal::Expired.into());
        }
        let starts = [verified.issued_at, self.not_before];
        let mut starts = starts.into_iter().flatten();
        if starts.any(|start| now.plus(rules.leeway) < start) {
            return Err(Refusal::NotYetValid.into());
        }
        Ok(())
    }

    fn check_standing(
        &self,
        rules: &IssuerRules,
        audience: AudienceRule,
        revoked: &RevocationSet,
        now: UtcMicros,
    ) -> Result<(), Objection> {
        if !audience.accepts(rules, &self.verified.aud) {
            return Err(Refusal::AudienceRefused.into());
        }
        if rules.is_gatelog
            && let Some(ban) = revoked.ban(&self.verified.revocable(), now)
        {
            return Err(Objection {
                refusal: ban.cause.into(),
                decision: Some(ban.decision),
            });
        }
        Ok(())
    }

    /// What is told of it when it is refused, by a signature that held.
    pub fn rejection(&self, objection: Objection, now: UtcMicros) -> Box<Rejection> {
        // Roles that count for nothing are not repeated.
        let actor = Actor {
            roles: Vec::new(),
            ..self.verified.actor()
        };
        reject(objection, self.verified.facts(now), actor)
    }
}

fn reject(objection: Objection, token: TokenFacts, actor: Actor) -> Box<Rejection> {
    Box::new(Rejection {
        refusal: objection.refusal,
        token,
        actor,
        decision: objection.decision,
    })
}

/// Who signed a token, and with what.
struct Signed<'r> {
    issuer: &'r TrustedIssuer,
    keys: &'r Arc<KeySet>,
    kid: Option<&'r str>,
    algorithm: Algorithm,
}

/// Everything up to the signature: issuer, type, algorithm, key.
fn verify_signed<'r>(
    unverified: &'r Unverified<'_>,
    trust: &'r Trust,
    now: UtcMicros,
) -> Result<Signed<'r>, Refusal> {
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
    let keys = issuer.keys_at(now).ok_or(Refusal::KeysUnavailable)?;
    let kid = unverified.jws.verify(keys, algorithm)?;
    Ok(Signed {
        issuer,
        keys,
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

fn verify_claims(unverified: &Unverified<'_>, signed: &Signed<'_>) -> Result<Authentic, Refusal> {
    let claims = Claims(&unverified.claims);
    let rules = &signed.issuer.rules;
    let expires_at = claims.time("exp")?.ok_or(Refusal::ClaimMissing("exp"))?;
    let issued_at = claims.time("iat")?;
    let not_before = claims.time("nbf")?;
    let named = named(&claims, rules)?;
    let verified = Verified {
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
    };
    Ok(Authentic {
        verified,
        not_before,
        rules: Arc::clone(rules),
        keys: Arc::clone(signed.keys),
    })
}
