//! What may be registered as a client. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::token::KeySet;
use url::{Host, Url};

use super::model::{Client, GrantType, Kind};
use crate::error::{ApiError, Internal};
use crate::role::Scope;

/// The longest name, in characters.
const NAME_LENGTH_MAX: usize = 64;

const REDIRECT_URIS_MAX: usize = 20;
const REDIRECT_URI_LENGTH_MAX: usize = 2048;
const SCOPES_MAX: usize = 64;
const AUDIENCES_MAX: usize = 16;

/// The largest key set, in bytes: a few keys, with room.
const JWKS_BYTES_MAX: usize = 8 * 1024;

/// What is registered of a client, whoever asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_first_party: bool,
    pub(crate) grant_types: Vec<GrantType>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) audiences: Vec<String>,
    pub(crate) jwks: Option<Value>,
}

impl Registration {
    /// Refuses what must not be registered. `knows_audience` tells whether tokens are minted for an audience.
    pub(crate) fn check(&self, knows_audience: impl Fn(&str) -> bool) -> Result<(), ApiError> {
        check_name(&self.name)?;
        let has = |grant| self.grant_types.contains(&grant);
        let is_unique = |list: &[String]| list.iter().collect::<BTreeSet<_>>().len() == list.len();
        let faults = [
            (
                self.grant_types.is_empty(),
                "a client has at least one grant type",
            ),
            (
                self.kind == Kind::Public && has(GrantType::ClientCredentials),
                "a public client cannot prove who it is, so that it gets no tokens for itself",
            ),
            (
                has(GrantType::RefreshToken) && !has(GrantType::AuthorizationCode),
                "refresh tokens come with the grant type authorization_code",
            ),
            (
                has(GrantType::AuthorizationCode) == self.redirect_uris.is_empty(),
                "redirect addresses belong to the grant type authorization_code, and it needs one",
            ),
            (
                self.redirect_uris.len() > REDIRECT_URIS_MAX || !is_unique(&self.redirect_uris),
                "a client has at most 20 redirect addresses, each once",
            ),
            (
                !self.redirect_uris.iter().all(|text| is_redirect_uri(text)),
                "a redirect address is https, or http to a loopback address, in full and without fragment or wildcard",
            ),
            (self.scopes.len() > SCOPES_MAX, "a client has at most 64 scopes"),
            (
                self.audiences.is_empty()
                    || self.audiences.len() > AUDIENCES_MAX
                    || !is_unique(&self.audiences),
                "a client has 1 to 16 audiences, each once",
            ),
            (
                self.jwks.is_some() && self.kind == Kind::Public,
                "a public client has no keys",
            ),
        ];
        if let Some((_, fault)) = faults.into_iter().find(|(is_fault, _)| *is_fault) {
            return Err(ApiError::BodyInvalid(fault.into()));
        }
        if !self.audiences.iter().all(|audience| knows_audience(audience)) {
            return Err(ApiError::AudienceUnknown);
        }
        self.jwks.as_ref().map_or(Ok(()), check_keys)
    }

    /// What is registered of `client`.
    pub(super) fn of(client: &Client) -> Result<Self, ApiError> {
        let unreadable = |_| Internal::Unreadable("what is registered of a client");
        let keys = client.jwks.as_deref().map(serde_json::from_str).transpose();
        let scopes: Result<_, _> = client.scopes.iter().map(|scope| scope.parse()).collect();
        Ok(Self {
            name: client.name.clone(),
            kind: client.kind,
            is_first_party: client.is_first_party,
            grant_types: client.grant_types.clone(),
            redirect_uris: client.redirect_uris.clone(),
            scopes: scopes.map_err(|_| Internal::Unreadable("a client's scopes"))?,
            audiences: client.audiences.clone(),
            jwks: keys.map_err(unreadable)?,
        })
    }

    /// Writes it over a client.
    pub(super) fn apply(self, client: Client) -> Client {
        Client {
            name: self.name,
            kind: self.kind,
            is_first_party: self.is_first_party,
            grant_types: self.grant_types,
            redirect_uris: self.redirect_uris,
            scopes: self.scopes.iter().map(ToString::to_string).collect(),
            audiences: self.audiences,
            jwks: self.jwks.map(|keys| keys.to_string()),
            ..client
        }
    }
}

/// Names are shown to people who decide by them.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    if length == 0 || length > NAME_LENGTH_MAX || name.trim() != name || name.chars().any(char::is_control) {
        return Err(ApiError::BodyInvalid(
            "a name has 1 to 64 characters, none of them a control character or a space at an end".into(),
        ));
    }
    Ok(())
}

/// Compared to the letter later, so that what is ambiguous must not be registered (RFC 9700 §2.1).
fn is_redirect_uri(text: &str) -> bool {
    if text.len() > REDIRECT_URI_LENGTH_MAX
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
        || text.contains(['#', '*', '\\'])
    {
        return false;
    }
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    is_safe && url.username().is_empty() && url.password().is_none()
}

fn check_keys(keys: &Value) -> Result<(), ApiError> {
    let text = keys.to_string();
    let has_private = keys.get("keys").and_then(Value::as_array).is_some_and(|keys| {
        keys.iter()
            .any(|key| key.get("d").is_some() || key.get("k").is_some())
    });
    let refused = |why: Cow<'static, str>| Err(ApiError::BodyInvalid(why));
    if has_private {
        return refused("the key set holds a private key: it is to be taken for stolen".into());
    }
    if text.len() > JWKS_BYTES_MAX {
        return refused("the key set is larger than 8 KiB".into());
    }
    match KeySet::from_jwks(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => refused(
            "the key set holds no public key for signatures of Ed25519, P-256 or RSA of 2048 bits that has a kid".into(),
        ),
    }
}

/// What events tell of a client: everything but its secrets.
pub(super) fn told(client: &Client) -> Value {
    let grant_types: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    json!({
        "name": client.name,
        "kind": client.kind.as_str(),
        "first_party": client.is_first_party,
        "grant_types": grant_types,
        "redirect_uris": client.redirect_uris,
        "scopes": client.scopes,
        "audiences": client.audiences,
        "has_keys": client.jwks.is_some(),
        "disabled": client.disabled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        Registration {
            name: "App".into(),
            kind: Kind::Confidential,
            is_first_party: false,
            grant_types: vec![GrantType::ClientCredentials, GrantType::AuthorizationCode],
            redirect_uris: vec!["https://app.example/cb".into()],
            scopes: BTreeSet::new(),
            audiences: vec!["orders".into()],
            jwks: None,
        }
    }

    fn is_good(change: impl FnOnce(&mut Registration)) -> bool {
        let mut registration = registration();
        change(&mut registration);
        registration.check(|audience| audience == "orders").is_ok()
    }

    #[test]
    fn only_addresses_that_lead_to_one_place_are_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example:8443/cb?tenant=1",
            "http://127.0.0.1:8000/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for wrong in [
            "http://app.example/cb",
            "https://app.example/cb#x",
            "https://*.app.example/cb",
            "https://app.example/*",
            "https://u:p@app.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/a b",
            "https://äpp.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "javascript:alert(1)",
            "com.example:/cb",
            "/cb",
            "",
        ] {
            assert!(!is_redirect_uri(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert!(is_good(|_| {}));
        assert!(!is_good(|new| new.grant_types.clear()));
        assert!(!is_good(|new| new.kind = Kind::Public));
        assert!(is_good(|new| {
            new.kind = Kind::Public;
            new.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
        }));
        assert!(!is_good(|new| new.redirect_uris.clear()));
        assert!(!is_good(
            |new| new.grant_types = vec![GrantType::ClientCredentials]
        ));
        assert!(!is_good(|new| new.audiences.clear()));
        assert!(!is_good(|new| new.audiences = vec!["stock".into()]));
        assert!(!is_good(
            |new| new.audiences = vec!["orders".into(), "orders".into()]
        ));
        for name in ["", " a", "a\n", &"a".repeat(65)] {
            assert!(!is_good(|new| new.name = name.to_owned()), "{name:?}");
        }
    }

    #[test]
    fn keys_are_public_and_usable() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = |extra: &str, value: &str| {
            let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a"});
            key[extra] = value.into();
            json!({ "keys": [key] })
        };

        assert!(is_good(|new| new.jwks = Some(key("use", "sig"))));
        assert!(!is_good(|new| new.jwks = Some(key("d", x))));
        assert!(!is_good(|new| new.jwks = Some(key("use", "enc"))));
        assert!(!is_good(|new| new.jwks = Some(json!({ "keys": [] }))));
        assert!(!is_good(|new| new.jwks = Some(key("x5t", &"a".repeat(9000)))));
    }
}
