//! The ID token (OpenID Connect Core §2): tells a client who signed in, when and how. No end point takes it for access.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use shared::clock::UtcMicros;
use shared::token::Algorithm;

use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::sign_in::level_of_amr;
use crate::token::sign;
use crate::user::Account;

/// Its `typ`: that of no access token (RFC 8725 §3.11).
const TYPE: &str = "JWT";

/// How long it is good: it is read once, on arrival.
const LIFETIME_SECONDS: i64 = 300;

/// What an ID token tells.
#[derive(Clone, Copy)]
pub(crate) struct IdTokenFacts<'a> {
    pub(crate) account: &'a Account,
    pub(crate) client_id: &'a str,
    pub(crate) authenticated_at: UtcMicros,
    pub(crate) amr: &'a str,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) sid: &'a str,
    /// The token that comes with it.
    pub(crate) access_token: &'a str,
    pub(crate) tells_name: bool,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    amr: Vec<&'a str>,
    acr: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
}

/// Mints and signs one.
pub(crate) fn id_token(app: &App, facts: &IdTokenFacts<'_>, now: UtcMicros) -> Result<String, ApiError> {
    let ring = app.keys.ring();
    let key = ring.signer(now)?;
    let iat = now.as_seconds();
    let claims = Claims {
        iss: &app.mint_rules.issuer,
        sub: &facts.account.id,
        aud: facts.client_id,
        exp: iat + LIFETIME_SECONDS,
        iat,
        auth_time: facts.authenticated_at.as_seconds(),
        nonce: facts.nonce,
        amr: facts.amr.split_whitespace().collect(),
        acr: level_of_amr(facts.amr).as_str(),
        at_hash: half_hash(facts.access_token, key.algorithm),
        sid: facts.sid,
        preferred_username: facts.tells_name.then_some(facts.account.username.as_str()),
    };
    Ok(sign(key, TYPE, &claims).map_err(Internal::from)?)
}

/// The left half of the hash that the signature's algorithm names (OpenID Connect Core §3.1.3.6). `EdDSA` names none, and what
/// libraries then compute differs (Authlib refuses any): where the claim is optional, as in the code flow, it is left out.
fn half_hash(text: &str, algorithm: Algorithm) -> Option<String> {
    match algorithm {
        Algorithm::EdDsa => None,
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Hs256 => {
            let hash = digest(&SHA256, text.as_bytes());
            let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
            Some(URL_SAFE_NO_PAD.encode(left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core appendix A.3, whose token is signed with RS256.
    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        let text = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";

        let half = half_hash(text, Algorithm::Rs256);

        assert_eq!(half.as_deref(), Some("77QmUPtjPfzWtF2AnpK9RQ"));
        assert_eq!(half_hash(text, Algorithm::Es256), half);
        assert_eq!(half_hash(text, Algorithm::EdDsa), None);
    }
}
