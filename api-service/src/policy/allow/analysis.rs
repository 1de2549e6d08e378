//! What can be said of expressions without a request: whether any lets someone in, and who is let in by one of two only.
//!
//! Terms are taken as independent of each other, but for `anyone` and `signed-in`, which hold for every bearer. So what is
//! said to be possible may not be, for instance two subjects at once, and what is said to be impossible is.

use super::Allow;

/// More terms than these are not gone through: 2^12 combinations take a millisecond.
const TERMS_MAX: usize = 12;

/// A bearer who is let in by one expression and not by another: the terms that hold, those that do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The terms that hold for it.
    pub holds: Vec<String>,
    /// The terms that do not.
    pub lacks: Vec<String>,
}

impl Allow {
    /// Whether nobody at all can satisfy it.
    pub fn is_impossible(&self) -> bool {
        !self.is_public() && self.witness_against(None).is_ok_and(|witness| witness.is_none())
    }

    /// A bearer whom this lets in and `other` does not; the one for whom the fewest terms hold. An error if there are too
    /// many terms to tell.
    pub fn witness_against(&self, other: Option<&Self>) -> Result<Option<Witness>, TooManyTerms> {
        let mut atoms = self.atoms();
        for atom in other.map(Self::atoms).unwrap_or_default() {
            if !atoms.contains(&atom) {
                atoms.push(atom);
            }
        }
        atoms.retain(|atom| !matches!(atom, Self::Anyone | Self::SignedIn));
        if atoms.len() > TERMS_MAX {
            return Err(TooManyTerms);
        }
        let mut combinations: Vec<u32> = (0..1u32 << atoms.len()).collect();
        combinations.sort_by_key(|bits| (bits.count_ones(), *bits));
        let found = combinations.into_iter().find(|bits| {
            let holds = |term: &Self| match atoms.iter().position(|atom| *atom == term) {
                Some(index) => bits >> index & 1 == 1,
                None => true,
            };
            self.holds(&holds) && !other.is_some_and(|other| other.holds(&holds))
        });
        Ok(found.map(|bits| witness(&atoms, bits)))
    }
}

/// An expression has too many terms for its combinations to be gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rules have more than 12 different terms")]
pub struct TooManyTerms;

fn witness(atoms: &[&Allow], bits: u32) -> Witness {
    let named = |wanted: u32| {
        atoms
            .iter()
            .enumerate()
            .filter(|(index, _)| bits >> index & 1 == wanted)
            .map(|(_, atom)| atom.to_string())
            .collect()
    };
    Witness {
        holds: named(1),
        lacks: named(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Allow {
        Allow::parse(text).unwrap()
    }

    fn witness(text: &str, other: &str) -> Option<(String, String)> {
        let found = rule(text).witness_against(Some(&rule(other))).unwrap()?;
        Some((found.holds.join(" "), found.lacks.join(" ")))
    }

    #[test]
    fn a_rule_that_contradicts_itself_lets_nobody_in() {
        for text in [
            "scope:a & !scope:a",
            "!anyone",
            "!signed-in",
            "role:x & !(role:x | role:y)",
        ] {
            assert!(rule(text).is_impossible(), "{text}");
        }
        for text in [
            "anyone",
            "anyone & ip:10.0.0.0/8",
            "scope:a & !scope:b",
            "signed-in",
            "age<1m",
        ] {
            assert!(!rule(text).is_impossible(), "{text}");
        }
    }

    #[test]
    fn whom_one_rule_lets_in_and_another_does_not_is_shown_by_the_simplest_case() {
        assert_eq!(
            witness("scope:a | role:b", "scope:a"),
            Some(("role:b".into(), "scope:a".into()))
        );
        assert_eq!(witness("scope:a", "scope:a | role:b"), None);
        assert_eq!(witness("scope:a & role:b", "role:b & scope:a"), None);
        assert_eq!(
            witness("signed-in", "!scope:a"),
            Some(("scope:a".into(), String::new()))
        );
    }

    #[test]
    fn too_many_terms_are_said_to_be_too_many() {
        let many: Vec<_> = (0..13).map(|n| format!("scope:s{n}")).collect();

        assert_eq!(rule(&many.join(" | ")).witness_against(None), Err(TooManyTerms));
        assert!(!rule(&many.join(" | ")).is_impossible());
    }
}
