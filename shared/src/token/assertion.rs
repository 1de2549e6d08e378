//! What clients sign to prove who they are (`private_key_jwt`, RFC 7523 §3). No access token passes for one, nor the other
//! way round: their types, their issuers and their keys differ.

use std::time::Duration;

use super::claim_values::Claims;
use super::unverified::Unverified;
use super::verify::has_type;
use super::{Algorithm, KeySet, Refusal};
use crate::clock::UtcMicros;

/// The types accepted where one is named at all; RFC 7523 asks for none.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// A secret that both share would prove nothing to a third, and is a password here.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(5);

/// The longest life of an assertion. Each is remembered for as long; libraries sign for up to an hour.
const LIFETIME_MAX: Duration = Duration::from_hours(1);

/// The longest id of an assertion, in bytes.
const JTI_BYTES_MAX: usize = 256;

/// An assertion whose signature and claims were verified. Whether it was used before is for the caller to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its own id, unique for the client.
    pub jti: String,
    /// From when on it is refused for its age, so that its id may be forgotten.
    pub refused_from: UtcMicros,
}

/// Whom an assertion names, to look up the keys that verify it. Nothing of it is verified.
pub fn unverified_subject(assertion: &str) -> Option<String> {
    let unverified = Unverified::parse(assertion).ok()?;
    unverified.claims.get("sub")?.as_str().map(str::to_owned)
}

/// Verifies an assertion of `client_id` that was signed with one of its keys for one of `audiences` and for nobody else.
pub fn verify_assertion(
    assertion: &str,
    client_id: &str,
    audiences: &[String],
    keys: &KeySet,
    now: UtcMicros,
) -> Result<Assertion, Refusal> {
    let unverified = Unverified::parse(assertion)?;
    if let Some(typ) = unverified.jws.header.get("typ") {
        let typ = typ.as_str().ok_or(Refusal::Malformed)?;
        if !TYPES.iter().any(|accepted| has_type(accepted, typ)) {
            return Err(Refusal::TypeRefused);
        }
    }
    let algorithm = unverified.jws.algorithm(&ALGORITHMS)?;
    unverified.jws.verify(keys, algorithm)?;
    verify_claims(&Claims(&unverified.claims), client_id, audiences, now)
}

fn verify_claims(
    claims: &Claims<'_>,
    client_id: &str,
    audiences: &[String],
    now: UtcMicros,
) -> Result<Assertion, Refusal> {
    for name in ["iss", "sub"] {
        let value = claims.text(name)?.ok_or(Refusal::ClaimMissing(name))?;
        if value != client_id {
            return Err(Refusal::IssuerUnknown);
        }
    }
    // Whoever else it is meant for could present it here.
    let aud = claims.list("aud", "aud")?.ok_or(Refusal::ClaimMissing("aud"))?;
    if aud.is_empty() || !aud.iter().all(|name| audiences.contains(name)) {
        return Err(Refusal::AudienceRefused);
    }
    let refused_from = claims
        .time("exp")?
        .ok_or(Refusal::ClaimMissing("exp"))?
        .plus(LEEWAY);
    if now >= refused_from {
        return Err(Refusal::Expired);
    }
    let is_too_long = refused_from > now.plus(LIFETIME_MAX + LEEWAY + LEEWAY);
    let begins_later = [claims.time("iat")?, claims.time("nbf")?]
        .into_iter()
        .flatten()
        .any(|start| now.plus(LEEWAY) < start);
    if is_too_long || begins_later {
        return Err(Refusal::NotYetValid);
    }
    let jti = claims.text("jti")?.ok_or(Refusal::ClaimMissing("jti"))?;
    if jti.len() > JTI_BYTES_MAX {
        return Err(Refusal::ClaimMalformed("jti"));
    }
    Ok(Assertion { jti, refused_from })
}
