//! What is remembered of each key: one moment, for so many keys at most.
//!
//! A bucket that is full again is as good as none and is forgotten when room is wanted; one in use never is, so that nobody can
//! push another's out to pass. Keys that find no room share one bucket for each rule: to fill the table gains an attacker
//! nothing but the share of one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use super::quota::{Quota, Verdict};

/// Locks among which the keys are spread.
const SHARDS: usize = 16;

/// Room is made by going through all keys of a shard; not more often than this, however many come.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// What is counted by: a hash of the rule and of whom it counts, so that a long name takes no more room than a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// The key of `parts`, each of them for itself.
    pub(super) fn of(parts: &[&str]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 16];
        for (byte, hashed) in key.iter_mut().zip(context.finish().as_ref()) {
            *byte = *hashed;
        }
        Self(key)
    }
}

/// Buckets by key.
#[derive(Debug)]
pub(super) struct Table {
    shards: [Mutex<Shard>; SHARDS],
    keys_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// When each bucket will be full again.
    full_at: HashMap<Key, Duration>,
    swept_at: Duration,
}

/// One more request for a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'r> {
    pub(super) key: Key,
    /// What those share a key of for whom there is no room.
    pub(super) scope: &'r str,
    pub(super) quota: Quota,
    /// Since any fixed moment.
    pub(super) now: Duration,
}

impl Table {
    /// Room for `keys_max` keys.
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            shards: Default::default(),
            keys_max,
        }
    }

    /// Judges a request and takes its part if it is admitted.
    pub(super) fn take(&self, arrival: &Arrival<'_>) -> Verdict {
        let (mut shard, key) = self.bucket(arrival);
        let verdict = shard.judge(key, arrival);
        if let Verdict::Admitted { full_at, .. } = verdict {
            shard.full_at.insert(key, full_at);
        }
        verdict
    }

    /// Where a request is counted: under its own key if there is room for it.
    fn bucket(&self, arrival: &Arrival<'_>) -> (MutexGuard<'_, Shard>, Key) {
        let mut shard = self.shard(arrival.key);
        if shard.has_room_for(arrival, self.keys_max / SHARDS) {
            return (shard, arrival.key);
        }
        drop(shard);
        let shared = Key::of(&[arrival.scope]);
        (self.shard(shared), shared)
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).full_at.len()).sum()
    }

    fn shard(&self, Key(bytes): Key) -> MutexGuard<'_, Shard> {
        let [first, ..] = bytes;
        let [zeroth, ..] = &self.shards;
        lock(self.shards.get(usize::from(first) % SHARDS).unwrap_or(zeroth))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn has_room_for(&mut self, arrival: &Arrival<'_>, room: usize) -> bool {
        if self.full_at.len() < room || self.full_at.contains_key(&arrival.key) {
            return true;
        }
        if arrival.now.saturating_sub(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = arrival.now;
            self.full_at.retain(|_, full_at| *full_at > arrival.now);
        }
        self.full_at.len() < room
    }

    fn judge(&self, key: Key, arrival: &Arrival<'_>) -> Verdict {
        let full_at = self.full_at.get(&key).copied().unwrap_or_default();
        arrival.quota.judge(full_at, arrival.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(name: &str, seconds: u64) -> Arrival<'static> {
        Arrival {
            key: Key::of(&["rule", name]),
            scope: "rule",
            quota: Quota::parse("1/min", None).unwrap(),
            now: Duration::from_secs(seconds),
        }
    }

    fn is_admitted(table: &Table, name: &str, seconds: u64) -> bool {
        matches!(table.take(&arrival(name, seconds)), Verdict::Admitted { .. })
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let table = Table::new(1_000);

        assert!(is_admitted(&table, "ada", 0) && is_admitted(&table, "bob", 0));
        assert!(!is_admitted(&table, "ada", 1));
        let retry_in = Duration::from_secs(59);
        assert_eq!(table.take(&arrival("ada", 1)), Verdict::Refused { retry_in });
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn parts_of_a_key_are_told_apart() {
        assert_ne!(Key::of(&["ab", "c"]), Key::of(&["a", "bc"]));
    }

    #[test]
    fn a_full_table_forgets_nobody_in_use_and_newcomers_share_one_bucket() {
        let table = Table::new(SHARDS * 4);
        assert!(is_admitted(&table, "victim", 0));
        let admitted = (0..1_000)
            .filter(|n| is_admitted(&table, &format!("flood-{n}"), 1))
            .count();

        assert!(admitted <= SHARDS * 4, "{admitted}");
        assert!(table.len() <= SHARDS * 4 + 1, "{}", table.len());
        assert!(!is_admitted(&table, "victim", 2), "its bucket was not pushed out");
        let newcomer = table.take(&arrival("newcomer", 2));
        assert!(matches!(newcomer, Verdict::Refused { .. }), "{newcomer:?}");
    }

    #[test]
    fn room_is_made_of_buckets_that_are_full_again() {
        let table = Table::new(SHARDS);
        for n in 0..1_000 {
            is_admitted(&table, &format!("old-{n}"), 0);
        }

        let admitted = (0..1_000)
            .filter(|n| is_admitted(&table, &format!("new-{n}"), 61))
            .count();

        assert!(admitted >= SHARDS, "{admitted}");
    }
}
