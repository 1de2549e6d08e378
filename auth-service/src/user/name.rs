//! The name that a user signs in with.

use serde::Deserialize;

/// The longest name, in bytes.
const LENGTH_MAX: usize = 64;

/// 1 to 64 ASCII letters, digits, `.`, `_`, `-`, `@` or `+`, beginning with a letter or digit: an address fits, and no two
/// names look the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Username(String);

/// Not a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 64 letters, digits, `.`, `_`, `-`, `@` or `+`")]
pub(crate) struct InvalidUsername;

impl TryFrom<String> for Username {
    type Error = InvalidUsername;

    fn try_from(text: String) -> Result<Self, InvalidUsername> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte);
        let begins_well = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins_well && text.len() <= LENGTH_MAX && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(InvalidUsername)
        }
    }
}

impl Username {
    /// As it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is compared.
    pub(crate) fn key(&self) -> String {
        key_of(&self.0)
    }
}

/// How a typed name is compared; it need not be a valid one.
pub(crate) fn key_of(typed: &str) -> String {
    typed.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<Username, InvalidUsername> {
        text.to_owned().try_into()
    }

    #[test]
    fn names_and_addresses_are_names() {
        for good in ["a", "Alice", "alice.b+x@example.org", "0x", &"a".repeat(64)] {
            assert!(name(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_could_be_mistaken_is_none() {
        for wrong in [
            "",
            " alice",
            "alice ",
            "al ice",
            "аlice",
            "alice\n",
            "-alice",
            "@",
            &"a".repeat(65),
        ] {
            assert_eq!(name(wrong), Err(InvalidUsername), "{wrong}");
        }
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        assert_eq!(name("Alice").unwrap().key(), key_of("aLICE"));
    }
}
