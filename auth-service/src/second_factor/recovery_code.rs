//! Recovery codes: 60 random bits each, as three groups of letters and digits that cannot be mistaken for each other. Pure.

use std::fmt;

use zeroize::Zeroizing;

/// Codes that a user has at first.
pub(super) const COUNT: usize = 10;

/// Letters and digits of a code, of five bits each.
pub(super) const LENGTH: usize = 12;

/// How many stand together.
const GROUP: usize = 4;

/// Crockford's base 32: without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code, be it one of somebody or not.
pub(super) struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// The code that `random` makes.
    pub(super) fn of(random: [u8; LENGTH]) -> Self {
        // 32 divides 256, so that every letter is as likely as any other.
        let letters = random
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
        Self(Zeroizing::new(letters.copied().map(char::from).collect()))
    }

    /// What was typed, with or without hyphens and spaces, in any case; letters that look like digits count as those.
    pub(super) fn read(typed: &str) -> Option<Self> {
        let mut letters = Zeroizing::new(String::with_capacity(LENGTH));
        for letter in typed.chars().filter(|letter| *letter != '-' && *letter != ' ') {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            };
            let is_known = u8::try_from(letter).is_ok_and(|byte| ALPHABET.contains(&byte));
            if !is_known || letters.len() == LENGTH {
                return None;
            }
            letters.push(letter);
        }
        (letters.len() == LENGTH).then_some(Self(letters))
    }

    /// Without hyphens.
    pub(super) fn letters(&self) -> &str {
        &self.0
    }

    /// As its user gets it.
    pub(super) fn shown(&self) -> String {
        let groups: Vec<&str> = (0..LENGTH)
            .step_by(GROUP)
            .filter_map(|start| self.0.get(start..start + GROUP))
            .collect();
        groups.join("-")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_is_read_back_however_it_is_typed(random: [u8; LENGTH]) {
            let code = RecoveryCode::of(random);
            let shown = code.shown();

            prop_assert_eq!(shown.len(), LENGTH + 2);
            for typed in [
                shown.clone(),
                shown.to_lowercase(),
                shown.replace('-', ""),
                shown.replace('-', " "),
                shown.replace('1', "l").replace('0', "o"),
                format!(" {shown} "),
            ] {
                let read = RecoveryCode::read(&typed).unwrap();
                prop_assert_eq!(read.letters(), code.letters());
            }
        }

        #[test]
        fn no_text_makes_the_reader_fail_otherwise_than_by_refusing(typed in ".{0,80}") {
            let read = RecoveryCode::read(&typed);
            prop_assert!(read.is_none_or(|code| code.letters().len() == LENGTH));
        }
    }

    #[test]
    fn what_has_another_length_or_letter_is_none() {
        for typed in [
            "",
            "123456",
            "7K3M-9QXT-2WV",
            "7K3M-9QXT-2WVBX",
            "7K3M-9QXT-2WVU",
            "７K3M-9QXT-2WVB",
        ] {
            assert!(RecoveryCode::read(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn a_code_is_never_shown_by_chance() {
        assert_eq!(format!("{:?}", RecoveryCode::of([7; LENGTH])), "RecoveryCode(…)");
    }
}
