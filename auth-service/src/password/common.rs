//! Common passwords, and what is built of them.
//!
//! `common.txt` holds the 10 000 most common passwords of four to fourteen characters, and those that are longer, of the list
//! that `@zxcvbn-ts/language-common` 4.1.3 ships (MIT, see `common.txt.license`). Hardly any of those who leaked is as long as
//! a password here has to be; so what is refused is whatever consists of one or two of them, which is a hundred million.

use std::collections::HashSet;
use std::sync::LazyLock;

const LIST: &str = include_str!("common.txt");

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| LIST.lines().collect());

/// The longest entry that is looked for, in bytes.
const ENTRY_BYTES_MAX: usize = 32;

/// Whether `password`, in lower case, is a common one or two of them.
pub(super) fn is_made_of_common(password: &str) -> bool {
    if password.len() > 2 * ENTRY_BYTES_MAX {
        return false;
    }
    let is_common = |text: &str| COMMON.contains(text);
    is_common(password)
        || password.char_indices().any(|(at, _)| {
            let (head, tail) = password.split_at(at);
            is_common(head) && is_common(tail)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_long_as_it_says_and_fits_the_bounds() {
        assert!(COMMON.len() > 10_000, "{}", COMMON.len());
        assert!(COMMON.iter().all(|entry| entry.len() <= ENTRY_BYTES_MAX));
    }

    #[test]
    fn one_and_two_common_passwords_are_common_and_four_words_are_not() {
        for common in ["1qaz2wsx3edc4rfv", "passwordstandard", "iloveyou123456789"] {
            assert!(is_made_of_common(common), "{common}");
        }
        for other in ["correct horse battery staple", "ünïcödé-is-well-taken", ""] {
            assert!(!is_made_of_common(other), "{other}");
        }
    }
}
