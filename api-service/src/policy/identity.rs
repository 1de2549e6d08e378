//! The headers that tell an upstream who calls.

use http::HeaderName;
use shared::token::Verified;

/// Which header tells an upstream what about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders(Vec<(HeaderName, IdentityClaim)>);

/// What an identity header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityClaim {
    /// The subject.
    Sub,
    /// The name it signs in with.
    Username,
    /// The client.
    ClientId,
    /// The roles, separated by spaces.
    Roles,
    /// The scopes, separated by spaces.
    Scope,
    /// The session.
    Sid,
}

impl IdentityHeaders {
    /// These headers.
    pub const fn new(headers: Vec<(HeaderName, IdentityClaim)>) -> Self {
        Self(headers)
    }

    /// Every header with what it tells of `caller`; `None` where there is nothing to tell.
    pub fn told<'h>(
        &'h self,
        caller: Option<&'h Verified>,
    ) -> impl Iterator<Item = (&'h HeaderName, Option<String>)> {
        self.0
            .iter()
            .map(move |(name, claim)| (name, caller.and_then(|caller| claim.of(caller))))
    }

    /// Whether `name` is one of them, under whatever spelling.
    pub fn has(&self, name: &HeaderName) -> bool {
        let name = Folded::of(name);
        self.0.iter().any(|(own, _)| name.is(own.as_str()))
    }

    /// Whether `name` is one of them in another spelling, which a proxy that sets the header does not replace.
    pub fn has_alias(&self, name: &HeaderName) -> bool {
        self.has(name) && !self.0.iter().any(|(own, _)| own == name)
    }
}

impl IdentityClaim {
    fn of(self, caller: &Verified) -> Option<String> {
        match self {
            Self::Sub => Some(caller.sub.clone()),
            Self::Username => caller.username.clone(),
            Self::ClientId => caller.client_id.clone(),
            Self::Roles => Some(caller.roles.join(" ")),
            Self::Scope => Some(caller.scopes.join(" ")),
            Self::Sid => caller.sid.clone(),
        }
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self(vec![
            (HeaderName::from_static("x-user"), IdentityClaim::Sub),
            (HeaderName::from_static("x-username"), IdentityClaim::Username),
            (HeaderName::from_static("x-client"), IdentityClaim::ClientId),
            (HeaderName::from_static("x-roles"), IdentityClaim::Roles),
            (HeaderName::from_static("x-scopes"), IdentityClaim::Scope),
        ])
    }
}

/// A name as CGI and its heirs see it: `-`, `_` and `.` are one.
#[derive(Clone, Copy, Debug)]
pub struct Folded<'n>(&'n [u8]);

impl<'n> Folded<'n> {
    /// The name of a header.
    pub fn of(name: &'n HeaderName) -> Self {
        Self(name.as_str().as_bytes())
    }

    /// Whether it is `name`, a name in small letters, however both of them are spelt.
    pub fn is(self, name: &str) -> bool {
        self.0.len() == name.len() && self.starts_with(name)
    }

    /// Whether it begins with `prefix`, in small letters, however both of them are spelt.
    pub fn starts_with(self, prefix: &str) -> bool {
        let beginning = self.0.get(..prefix.len());
        beginning.is_some_and(|beginning| {
            let mut pairs = beginning.iter().zip(prefix.as_bytes());
            pairs.all(|(own, other)| folded(*own) == folded(*other))
        })
    }
}

const fn folded(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        byte => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_under_every_spelling_and_an_alias_is_told_from_it() {
        let headers = IdentityHeaders::default();
        let seen = |name: &str| {
            let name: HeaderName = name.parse().unwrap();
            (headers.has(&name), headers.has_alias(&name))
        };

        assert_eq!(seen("X-User"), (true, false));
        for alias in ["X_User", "x.user", "X_USER"] {
            assert_eq!(seen(alias), (true, true), "{alias}");
        }
        assert_eq!(seen("X-Users"), (false, false));
    }
}
