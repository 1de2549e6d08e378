//! What a hash costs: only what OWASP's Password Storage Cheat Sheet allows, and how many fit into a budget of memory.

use std::fmt;
use std::str::FromStr;

/// Memory and passes of Argon2id, with one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
}

/// The sets of the cheat sheet, equally hard to break: with more memory fewer passes are needed.
const ALLOWED: [HashCost; 5] = [
    HashCost::new(47_104, 1),
    HashCost::new(19_456, 2),
    HashCost::new(12_288, 3),
    HashCost::new(9_216, 4),
    HashCost::new(7_168, 5),
];

/// Not a set that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is none of m=47104,t=1,p=1 · m=19456,t=2,p=1 · m=12288,t=3,p=1 · m=9216,t=4,p=1 · m=7168,t=5,p=1"
)]
pub struct InvalidHashCost;

impl HashCost {
    const fn new(memory_kib: u32, passes: u32) -> Self {
        Self { memory_kib, passes }
    }

    /// How many hashes run at a time: what the budget holds, no more than there are processors, and always one.
    pub(super) fn slots(self, budget_mib: u32, processors: usize) -> usize {
        let fitting = u64::from(budget_mib) * 1024 / u64::from(self.memory_kib);
        usize::try_from(fitting)
            .unwrap_or(usize::MAX)
            .min(processors)
            .max(1)
    }
}

impl Default for HashCost {
    fn default() -> Self {
        Self::new(19_456, 2)
    }
}

impl fmt::Display for HashCost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "m={},t={},p=1", self.memory_kib, self.passes)
    }
}

impl FromStr for HashCost {
    type Err = InvalidHashCost;

    fn from_str(text: &str) -> Result<Self, InvalidHashCost> {
        let allowed = ALLOWED.into_iter().find(|cost| cost.to_string() == text);
        allowed.ok_or(InvalidHashCost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sets_of_the_cheat_sheet_are_allowed() {
        for cost in ALLOWED {
            assert_eq!(cost.to_string().parse(), Ok(cost));
            assert!(InvalidHashCost.to_string().contains(&cost.to_string()));
        }
        for wrong in ["", "m=19456,t=1,p=1", "m=8,t=1,p=1", "m=19456,t=2,p=2"] {
            assert_eq!(wrong.parse::<HashCost>(), Err(InvalidHashCost), "{wrong}");
        }
    }

    #[test]
    fn as_many_run_as_the_budget_and_the_processors_allow_and_always_one() {
        let cost = HashCost::default();

        assert_eq!(cost.slots(128, 8), 6);
        assert_eq!(cost.slots(128, 2), 2);
        assert_eq!(cost.slots(1, 8), 1);
        assert_eq!(HashCost::new(47_104, 1).slots(128, 8), 2);
    }
}
