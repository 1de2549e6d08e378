//! Which claims an access token has (RFC 9068 §2.2), and for how long it is valid.

use crate::authorize::scope::is_of_openid;
use crate::sign_in::level_of_amr;
use shared::clock::UtcMicros;
use shared::event::{Actor, Identity};
use shared::token::{AccessClaims, GATELOG_AUDIENCE};

/// What all tokens of this service have in common.
#[derive(Clone, Debug)]
pub(crate) struct MintRules {
    /// From settings, never from a request.
    pub(crate) issuer: String,
    pub(crate) lifetime_seconds: u32,
}

/// Who gets a token, for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) sub: &'a str,
    pub(crate) username: &'a str,
    pub(crate) roles: &'a [String],
    /// The scopes of the roles.
    pub(crate) scopes: &'a [String],
    pub(crate) client_id: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) sid: &'a str,
    pub(crate) authenticated_at: UtcMicros,
    /// How the user proved who it is (RFC 8176), separated by spaces.
    pub(crate) amr: &'a str,
}

impl Grant<'_> {
    /// Whom events name.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            identity: Identity::Verified,
            sub: Some(self.sub.to_owned()),
            username: Some(self.username.to_owned()),
            client_id: Some(self.client_id.to_owned()),
            roles: self.roles.to_vec(),
            sid: Some(self.sid.to_owned()),
            jti: None,
        }
    }

    /// The scope of its tokens: scopes of roles are for Gatelog's own end points and say nothing to another audience.
    pub(crate) fn scope(&self) -> String {
        let is_meant = |scope: &&String| self.audience == GATELOG_AUDIENCE || is_of_openid(scope);
        let scopes: Vec<&str> = self.scopes.iter().filter(is_meant).map(String::as_str).collect();
        scopes.join(" ")
    }
}

/// The claims of a token minted at `now`.
pub(super) fn mint(rules: &MintRules, grant: &Grant<'_>, jti: String, now: UtcMicros) -> AccessClaims {
    let iat = now.as_seconds();
    AccessClaims {
        iss: rules.issuer.clone(),
        sub: grant.sub.to_owned(),
        aud: vec![grant.audience.to_owned()],
        exp: iat + i64::from(rules.lifetime_seconds),
        iat,
        jti,
        client_id: grant.client_id.to_owned(),
        sid: Some(grant.sid.to_owned()),
        scope: grant.scope(),
        roles: grant.roles.to_vec(),
        username: Some(grant.username.to_owned()),
        auth_time: Some(grant.authenticated_at.as_seconds()),
        amr: grant.amr.split_whitespace().map(str::to_owned).collect(),
        acr: Some(level_of_amr(grant.amr).as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(audience: &str) -> AccessClaims {
        let rules = MintRules {
            issuer: "https://gate.example".into(),
            lifetime_seconds: 600,
        };
        let grant = Grant {
            sub: "usr_1",
            username: "alice",
            roles: &["auditor".to_owned()],
            scopes: &["audit:read".to_owned()],
            client_id: "gatelog-login",
            audience,
            sid: "ses_1",
            authenticated_at: UtcMicros::from_seconds(90),
            amr: "pwd",
        };
        mint(&rules, &grant, "j".into(), UtcMicros::from_micros(100_900_000))
    }

    #[test]
    fn times_are_whole_seconds_from_the_moment_of_minting() {
        let claims = claims("gatelog");

        assert_eq!((claims.iat, claims.exp, claims.auth_time), (100, 700, Some(90)));
    }

    #[test]
    fn scopes_go_to_gatelog_s_own_end_points_only() {
        assert_eq!(claims("gatelog").scope, "audit:read");
        assert_eq!(claims("orders").scope, "");
        assert_eq!(claims("orders").roles, ["auditor"]);
    }
}
