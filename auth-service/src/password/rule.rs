//! What makes a password acceptable (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 §6.2): length, and no rules of composition.

/// The longest password, in bytes; bounds the work and is far beyond what anyone types.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// The shortest password that may be the only factor, in code points.
const LENGTH_MIN: usize = 15;

/// Why a password is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weakness {
    #[error("the password has fewer than {LENGTH_MIN} characters")]
    TooShort,
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    #[error("the password contains the user name")]
    ContainsUsername,
}

/// Accepts or refuses a new password of the user `username`.
pub(crate) fn check(password: &str, username: &str) -> Result<(), Weakness> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Weakness::TooLong);
    }
    if password.chars().count() < LENGTH_MIN {
        return Err(Weakness::TooShort);
    }
    // A name of one or two letters is in half of all pass phrases and tells nothing.
    let is_telling = username.len() > 2;
    if is_telling && password.to_lowercase().contains(&username.to_lowercase()) {
        return Err(Weakness::ContainsUsername);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_characters_from_15_on() {
        assert_eq!(check(&"ä".repeat(14), "bob"), Err(Weakness::TooShort));
        assert_eq!(check(&"ä".repeat(15), "bob"), Ok(()));
    }

    #[test]
    fn the_length_counts_bytes_up_to_1024() {
        assert_eq!(check(&"ä".repeat(512), "bob"), Ok(()));
        assert_eq!(
            check(&format!("{}x", "ä".repeat(512)), "bob"),
            Err(Weakness::TooLong)
        );
    }

    #[test]
    fn the_own_name_is_no_part_of_it_in_any_case() {
        assert_eq!(
            check("my name is ALICE today", "alice"),
            Err(Weakness::ContainsUsername)
        );
        assert_eq!(check("my name is today not to be told", "al"), Ok(()));
    }
}
