//! How many different values there are: exactly while they are few, beyond that estimated by `HyperLogLog`. Pure.
//!
//! What is kept depends on the set of values alone, not on their order, nor on how often each came, nor on how the set was divided before
//! it was put together: what is kept of days and of hours adds up to what would be kept of the whole.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};

/// Values that are kept one by one at most. So many take as much room as the registers.
const FEW_MAX: usize = 512;

/// The bits of a hash that choose its register.
const INDEX_BITS: u32 = 12;

const REGISTERS: usize = 1 << INDEX_BITS;

/// The standard error of an estimate: `1.04 / sqrt(REGISTERS)`.
pub(crate) const STANDARD_ERROR: f64 = 0.016;

/// The first byte of what is stored.
const FEW: u8 = 0;
const MANY: u8 = 1;

/// The hash of a value by which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ValueHash(u64);

impl ValueHash {
    /// Of a value as people are shown it. The function must never change: hashes are stored.
    pub(crate) fn of(value: &str) -> Self {
        let hash = digest(&SHA256, value.as_bytes());
        let first = hash.as_ref().first_chunk::<8>().copied();
        Self(u64::from_be_bytes(first.unwrap_or_default()))
    }
}

/// A set of values, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Distinct {
    Few(BTreeSet<ValueHash>),
    /// For each register the highest rank of a hash.
    Many(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

impl Distinct {
    pub(crate) fn insert(&mut self, value: ValueHash) {
        match self {
            Self::Few(values) => {
                values.insert(value);
                if values.len() > FEW_MAX {
                    let mut registers = vec![0; REGISTERS];
                    for value in &*values {
                        raise(&mut registers, *value);
                    }
                    *self = Self::Many(registers);
                }
            }
            Self::Many(registers) => raise(registers, value),
        }
    }

    /// Adds all values of another set.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(values)) => {
                for value in values {
                    self.insert(*value);
                }
            }
            (Self::Many(registers), Self::Many(others)) => {
                for (rank, other) in registers.iter_mut().zip(others) {
                    *rank = (*rank).max(*other);
                }
            }
            (Self::Few(_), Self::Many(_)) => {
                let few = std::mem::replace(self, other.clone());
                self.merge(&few);
            }
        }
    }

    /// Whether [`Self::count`] is exact.
    pub(crate) const fn is_exact(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    /// How many there are.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of a count, and never negative"
    )]
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Few(values) => values.len() as u64,
            Self::Many(registers) => estimate(registers).round() as u64,
        }
    }

    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Few(values) => {
                let hashes = values.iter().flat_map(|value| value.0.to_be_bytes());
                std::iter::once(FEW).chain(hashes).collect()
            }
            Self::Many(registers) => std::iter::once(MANY).chain(registers.iter().copied()).collect(),
        }
    }

    /// Reads what was stored; none if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            FEW => {
                let (hashes, left) = rest.as_chunks::<8>();
                let values = hashes.iter().map(|hash| ValueHash(u64::from_be_bytes(*hash)));
                (left.is_empty() && hashes.len() <= FEW_MAX).then(|| Self::Few(values.collect()))
            }
            MANY => (rest.len() == REGISTERS).then(|| Self::Many(rest.to_vec())),
            _ => None,
        }
    }
}

fn raise(registers: &mut [u8], value: ValueHash) {
    let index = usize::try_from(value.0 >> (64 - INDEX_BITS)).unwrap_or(0);
    // The bit behind the last one ends the count where all others are 0.
    let rest = value.0 << INDEX_BITS | 1 << (INDEX_BITS - 1);
    let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

/// The improved raw estimator, which needs neither tables nor another method for few values (Ertl 2017,
/// <https://arxiv.org/abs/1702.01284>, algorithm 6).
#[expect(clippy::cast_precision_loss, reason = "counts of registers")]
fn estimate(registers: &[u8]) -> f64 {
    let all = REGISTERS as f64;
    let mut counts = [0.0; RANKS + 2];
    for rank in registers {
        if let Some(count) = counts.get_mut(usize::from(*rank)) {
            *count += 1.0;
        }
    }
    let [none, ranks @ .., full] = counts;
    let mut sum = all * tau(1.0 - full / all);
    for count in ranks.iter().rev() {
        sum = 0.5 * (sum + count);
    }
    sum += all * sigma(none / all);
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// Ranks of a hash but for the highest.
const RANKS: usize = 64 - INDEX_BITS as usize;

fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut sum) = (share, 1.0, share);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if sum <= before {
            return sum;
        }
    }
}

fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x).powi(2) * y;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of tests, and errors of a share of them"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: impl IntoIterator<Item = u32>) -> Distinct {
        let mut distinct = Distinct::default();
        for value in values {
            distinct.insert(ValueHash::of(&value.to_string()));
        }
        distinct
    }

    fn merged(one: &Distinct, other: &Distinct) -> Distinct {
        let mut merged = one.clone();
        merged.merge(other);
        merged
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_within_four_standard_errors() {
        assert_eq!(of(0..512).count(), 512);
        assert!(of(0..512).is_exact());
        for count in [513, 2_000, 10_000, 20_000, 100_000, 300_000] {
            let distinct = of(0..count);
            let error = distinct.count() as f64 / f64::from(count) - 1.0;
            assert!(!distinct.is_exact());
            assert!(error.abs() < 4.0 * STANDARD_ERROR, "{count}: {error}");
        }
    }

    #[test]
    fn a_hash_is_the_same_for_ever() {
        assert_eq!(ValueHash::of("alice"), ValueHash(0x2bd8_06c9_7f0e_00af));
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        for bytes in [&[][..], &[2], &[FEW, 1], &[MANY, 1, 2], &[FEW; 8 * 513 + 1]] {
            assert_eq!(Distinct::from_bytes(bytes), None, "{}", bytes.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sets_add_up_in_any_order_and_grouping(
            one in proptest::collection::vec(0..2_000_u32, 0..900),
            other in proptest::collection::vec(0..2_000_u32, 0..900),
            third in proptest::collection::vec(0..2_000_u32, 0..900),
        ) {
            let whole = of(one.iter().chain(&other).chain(&third).copied());
            let [one, other, third] = [one, other, third].map(of);

            prop_assert_eq!(&merged(&merged(&one, &other), &third), &whole);
            prop_assert_eq!(&merged(&one, &merged(&third, &other)), &whole);
            prop_assert_eq!(&merged(&whole, &other), &whole);
            prop_assert_eq!(Distinct::from_bytes(&whole.to_bytes()), Some(whole));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            if let Some(distinct) = Distinct::from_bytes(&bytes) {
                distinct.count();
            }
        }
    }
}
