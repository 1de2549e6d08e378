//! What roles and scopes may be called.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The longest name, in bytes.
const LENGTH_MAX: usize = 64;

/// The name of a role: a letter, then letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RoleName(String);

/// The name of a scope: what RFC 6749 §3.3 allows, but for the quotation marks and brackets that tools trip over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Scope(String);

/// A text is no name of a role or a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidName(&'static str);

impl TryFrom<String> for RoleName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if begins_well && text.len() <= LENGTH_MAX && text.bytes().all(is_plain) {
            Ok(Self(text))
        } else {
            Err(InvalidName(
                "a role's name is a letter and at most 63 letters, digits, `.`, `_` or `-`",
            ))
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:/_-*+".contains(&byte);
        if !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(is_plain) {
            Ok(Self(text))
        } else {
            Err(InvalidName(
                "a scope is 1 to 64 letters, digits, `.`, `:`, `/`, `_`, `-`, `*` or `+`",
            ))
        }
    }
}

impl FromStr for RoleName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.to_owned().try_into()
    }
}

impl FromStr for Scope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.to_owned().try_into()
    }
}

impl RoleName {
    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_names() {
        for good in ["admin", "A", "team.lead-2_x"] {
            assert!(good.parse::<RoleName>().is_ok(), "{good}");
        }
        for good in ["audit:read", "orders.read", "https://api.example/read", "a*"] {
            assert!(good.parse::<Scope>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_would_be_read_as_two_or_as_something_else_is_none() {
        for wrong in ["", "2x", "a b", "a\n", "ä", &"a".repeat(65)] {
            assert!(wrong.parse::<RoleName>().is_err(), "{wrong}");
        }
        for wrong in ["", "a b", "a\"", "a\\", "a\u{0}", "ä", &"a".repeat(65)] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}
