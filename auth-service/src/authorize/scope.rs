//! Which scopes and which audience a client gets a user's tokens for. Pure.
//!
//! The scopes of OpenID Connect tell what a client may know of a user, and every client may ask for them. All others come
//! from the user's roles and only as far as the client is registered for them.

use super::party::Party;
use super::return_address::AuthorizeError;

/// The scopes of OpenID Connect, each with what it gives.
pub(crate) const OPENID: &str = "openid";
/// The user's name.
pub(crate) const PROFILE: &str = "profile";
/// A refresh token for a client of somebody else.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

const OF_OPENID: [&str; 3] = [OPENID, PROFILE, OFFLINE_ACCESS];

/// Whether a scope tells what a client may know, and not what its tokens may do.
pub(crate) fn is_of_openid(scope: &str) -> bool {
    OF_OPENID.contains(&scope)
}

/// The scopes that are asked for, each once.
pub(super) fn asked(party: &Party, text: Option<&str>) -> Result<Vec<String>, AuthorizeError> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty())
    {
        if !is_of_openid(scope) && !party.scopes.iter().any(|own| own == scope) {
            return Err(AuthorizeError::new(
                "invalid_scope",
                "a scope is unknown or not for this client",
            ));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

/// The audience of the tokens: the resource that is asked for, or the client's first (RFC 8707).
pub(super) fn audience(party: &Party, resource: Option<&str>) -> Result<String, AuthorizeError> {
    let unknown = AuthorizeError::new(
        "invalid_target",
        "that resource is unknown or not for this client",
    );
    let found = match resource {
        Some(resource) => party.audiences.iter().find(|own| *own == resource),
        None => party.audiences.first(),
    };
    found.cloned().ok_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party() -> Party {
        Party {
            id: "cli_1".into(),
            name: "App".into(),
            is_ours: false,
            redirect_uris: Vec::new(),
            scopes: vec!["audit:read".into()],
            audiences: vec!["orders".into(), "stock".into()],
        }
    }

    #[test]
    fn a_client_may_ask_for_what_it_is_registered_for_and_for_openid() {
        let scopes = asked(&party(), Some("openid  audit:read openid")).unwrap();

        assert_eq!(scopes, ["openid", "audit:read"]);
        assert!(asked(&party(), None).unwrap().is_empty());
        for wrong in ["admin", "openid admin", "audit:Read", "openid\taudit:read"] {
            assert_eq!(
                asked(&party(), Some(wrong)).unwrap_err().code,
                "invalid_scope",
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_first_audience_is_the_client_s_own() {
        assert_eq!(audience(&party(), None).unwrap(), "orders");
        assert_eq!(audience(&party(), Some("stock")).unwrap(), "stock");
        assert_eq!(
            audience(&party(), Some("gatelog")).unwrap_err().code,
            "invalid_target"
        );
    }
}
