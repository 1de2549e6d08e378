//! Memories that have changed and are not stored yet: while events come fast, those of the same few users change with each step.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shared::database::{Database, DatabaseError};

use super::store::known;
use crate::detection::engine::{Engine, Memory, MemoryKey, Record};

/// Changes are stored so long after those before (decision 0149).
const KEPT_EVERY: Duration = Duration::from_secs(5);

/// As many are stored earlier: with a kilobyte each they take 20 MB.
const MEMORIES_MAX: usize = 20_000;

/// What memories have become since they were stored.
#[derive(Debug)]
pub(in crate::detection) struct Unkept {
    memories: HashMap<MemoryKey, Memory>,
    kept_at: Instant,
}

impl Unkept {
    /// None yet.
    pub(in crate::detection) fn new(now: Instant) -> Self {
        Self {
            memories: HashMap::new(),
            kept_at: now,
        }
    }

    /// Gives `engine` the memories that it needs for `records`: as they are here, or as they are stored.
    pub(in crate::detection) async fn give(
        &self,
        database: &Database,
        engine: &mut Engine,
        records: &[Record],
    ) -> Result<(), DatabaseError> {
        let (here, stored): (Vec<_>, Vec<_>) = engine
            .wanted_memories(records)
            .into_iter()
            .partition(|key| self.memories.contains_key(key));
        let mut known = known(database, &stored).await?;
        for key in here.into_iter().chain(stored) {
            let memory = self.memories.get(&key).cloned();
            let memory = memory.or_else(|| known.remove(&key)).unwrap_or_default();
            engine.remember(key, memory);
        }
        Ok(())
    }

    /// Takes changes in.
    pub(in crate::detection) fn note(&mut self, changed: Vec<(MemoryKey, Memory)>) {
        self.memories.extend(changed);
    }

    /// Whether it is time to store them.
    pub(in crate::detection) fn are_due(&self, now: Instant) -> bool {
        !self.memories.is_empty()
            && (now.duration_since(self.kept_at) >= KEPT_EVERY || self.memories.len() >= MEMORIES_MAX)
    }

    /// All of them.
    pub(in crate::detection) const fn all(&self) -> &HashMap<MemoryKey, Memory> {
        &self.memories
    }

    /// They are stored.
    pub(in crate::detection) fn kept(&mut self, now: Instant) {
        self.memories.clear();
        self.kept_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(number: usize) -> Vec<(MemoryKey, Memory)> {
        let key = |n: usize| ("rule".into(), vec![n.to_string()]);
        (0..number).map(|n| (key(n), Memory::default())).collect()
    }

    #[test]
    fn changes_are_stored_after_a_while_or_when_they_are_many() {
        let start = Instant::now();
        let mut unkept = Unkept::new(start);
        assert!(!unkept.are_due(start + KEPT_EVERY));

        unkept.note(changed(MEMORIES_MAX - 1));
        assert!(!unkept.are_due(start));
        assert!(unkept.are_due(start + KEPT_EVERY));
        unkept.note(changed(MEMORIES_MAX));
        assert!(unkept.are_due(start));

        unkept.kept(start + KEPT_EVERY);
        assert!(!unkept.are_due(start + KEPT_EVERY));
        unkept.note(changed(1));
        assert!(!unkept.are_due(start + KEPT_EVERY));
        assert!(unkept.are_due(start + KEPT_EVERY * 2));
    }
}
