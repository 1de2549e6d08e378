//! What makes a password acceptable (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 §6.2): length, that it is not what everybody tries
//! first, and no rules of composition.

use super::common::is_made_of_common;

/// The longest password, in bytes; bounds the work and is far beyond what anyone types.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// The shortest password that may be the only factor, in code points. It is asked for in any case, because a second factor
/// comes later than the password and may go again.
const LENGTH_MIN: usize = 15;

/// Fewer different characters than these are no password.
const DIFFERENT_MIN: usize = 5;

/// The name of the service, which is among the first that are tried at it.
const SERVICE_NAME: &str = "gatelog";

/// What lies side by side on a keyboard or in the alphabet.
const SEQUENCES: [&str; 5] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
];

/// Why a password is not acceptable. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weakness {
    #[error("the password has fewer than {LENGTH_MIN} characters")]
    TooShort,
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    #[error("the password contains the user name")]
    ContainsUsername,
    #[error("the password contains the name of this service")]
    ContainsServiceName,
    #[error("the password repeats the same characters")]
    Repeats,
    #[error("the password runs along the alphabet or the keyboard")]
    Sequence,
    #[error("the password is made of the most common ones")]
    Common,
    #[error("the password is known from a breach elsewhere")]
    Breached,
}

/// Accepts or refuses a new password of the user `username` of the service at `host`.
pub(super) fn check(password: &str, username: &str, host: &str) -> Result<(), Weakness> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Weakness::TooLong);
    }
    if password.chars().count() < LENGTH_MIN {
        return Err(Weakness::TooShort);
    }
    let password = password.to_lowercase();
    let contains = |word: &str| password.contains(&word.to_lowercase());
    // A name of one or two letters is in half of all pass phrases and tells nothing.
    if username.len() > 2 && contains(username) {
        return Err(Weakness::ContainsUsername);
    }
    if contains(SERVICE_NAME) || (host.len() > 2 && contains(host)) {
        return Err(Weakness::ContainsServiceName);
    }
    let characters: Vec<char> = password.chars().collect();
    if repeats(&characters) {
        return Err(Weakness::Repeats);
    }
    if is_sequence(&characters) {
        return Err(Weakness::Sequence);
    }
    if is_made_of_common(&password) {
        return Err(Weakness::Common);
    }
    Ok(())
}

/// Whether it is the same few characters, or the same beginning over and over.
fn repeats(characters: &[char]) -> bool {
    let mut different = characters.to_vec();
    different.sort_unstable();
    different.dedup();
    let has_period = |period: usize| {
        characters
            .iter()
            .zip(characters.iter().skip(period))
            .all(|(a, b)| a == b)
    };
    different.len() < DIFFERENT_MIN || (1..=characters.len() / 2).any(has_period)
}

/// Whether of its neighbours more than three in four are neighbours on the keyboard or in the alphabet.
fn is_sequence(characters: &[char]) -> bool {
    let are_side_by_side = |a: char, b: char| {
        SEQUENCES.iter().any(|sequence| {
            let mut pairs = sequence.chars().zip(sequence.chars().skip(1));
            pairs.any(|pair| pair == (a, b) || pair == (b, a))
        })
    };
    let pairs = characters.iter().zip(characters.iter().skip(1));
    let side_by_side = pairs.filter(|(a, b)| are_side_by_side(**a, **b)).count();
    side_by_side * 4 > characters.len().saturating_sub(1) * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, username: &str) -> Result<(), Weakness> {
        super::check(password, username, "gate.example")
    }

    /// Characters that make no pattern.
    fn plain(count: usize) -> String {
        "äxÖqñ7ßkü2éwåmøthçrïvôp".chars().cycle().take(count).collect()
    }

    #[test]
    fn the_length_counts_characters_from_15_on() {
        assert_eq!(check(&plain(14), "bob"), Err(Weakness::TooShort));
        assert_eq!(check(&plain(15), "bob"), Ok(()));
    }

    #[test]
    fn the_length_counts_bytes_up_to_1024() {
        let character = |number: u32| char::from_u32('!' as u32 + number * number % 89);
        let longest: String = (0..1024)
            .filter_map(character)
            .enumerate()
            .map(|(at, c)| if at % 97 == 0 { '~' } else { c })
            .collect();
        assert_eq!(check(&longest, "bob"), Ok(()));
        assert_eq!(check(&format!("{longest}x"), "bob"), Err(Weakness::TooLong));
    }

    #[test]
    fn the_own_name_is_no_part_of_it_in_any_case() {
        assert_eq!(
            check("my name is ALICE today", "alice"),
            Err(Weakness::ContainsUsername)
        );
        assert_eq!(check("my name is today not to be told", "al"), Ok(()));
    }

    #[test]
    fn the_name_of_the_service_is_no_part_of_it() {
        for password in ["I love GateLog so much", "to sign in at Gate.Example"] {
            assert_eq!(check(password, "bob"), Err(Weakness::ContainsServiceName));
        }
    }

    #[test]
    fn patterns_are_refused_and_phrases_of_any_composition_are_not() {
        for (password, weakness) in [
            ("aaaaaaaaaaaaaaaaaaaa", Weakness::Repeats),
            ("trapeze7trapeze7trap", Weakness::Repeats),
            ("ababcabcbacbcabcabcb", Weakness::Repeats),
            ("abcdefghijklmnopqrst", Weakness::Sequence),
            ("qwertyuiopasdfghjkl", Weakness::Sequence),
            ("98765432109876x54", Weakness::Sequence),
            ("PasswordStandard", Weakness::Common),
        ] {
            assert_eq!(check(password, "bob"), Err(weakness), "{password}");
        }
        for good in [
            "correct horse battery staple",
            "nur kleine buchstaben hier",
            "48151623421618033988",
            "비밀번호는 길게 만드는 것이 좋습니다",
        ] {
            assert_eq!(check(good, "bob"), Ok(()), "{good}");
        }
    }
}
