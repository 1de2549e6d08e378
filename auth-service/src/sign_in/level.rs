//! How much a sign-in is worth: the `acr` of tokens, and what clients ask for by `acr_values`. Pure.

/// What was proved, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// One thing, such as a password.
    Password,
    /// A second one beside it.
    SecondFactor,
}

impl Level {
    /// Every level, the least first.
    pub(crate) const ALL: [Self; 2] = [Self::Password, Self::SecondFactor];

    /// Its `acr`, which never changes: an absolute URI, as OpenID Connect Core §2 wants it. It claims no level of a standard,
    /// since those ask for more than a factor.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "urn:gatelog:acr:pwd",
            Self::SecondFactor => "urn:gatelog:acr:mfa",
        }
    }

    /// The level of that `acr`.
    pub(crate) fn of(acr: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == acr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_worth_more() {
        assert!(Level::SecondFactor > Level::Password);
        for level in Level::ALL {
            assert_eq!(Level::of(level.as_str()), Some(level));
        }
        assert_eq!(Level::of("mfa"), None);
    }
}
