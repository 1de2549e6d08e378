//! An event as it is stored, with what tells whether it was read as it was written.

use super::running_hash::RunningHash;
use crate::transport::{Message, Numbered};

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) routing_key: String,
    pub(super) body: Vec<u8>,
    /// The running hash after it.
    pub(super) running_hash: RunningHash,
}

impl From<Record> for Numbered {
    fn from(record: Record) -> Self {
        Self {
            seq: record.seq,
            message: Message {
                routing_key: record.routing_key,
                body: record.body.into(),
            },
        }
    }
}

impl Record {
    /// What stands before the first event of a boot, so that each has one before it.
    pub(super) fn zero() -> Self {
        Self {
            seq: 0,
            routing_key: String::new(),
            body: Vec::new(),
            running_hash: RunningHash::default(),
        }
    }

    /// CRC-32 over all of it: the disk may give back other bytes than it took, and says nothing. Against people there is the running
    /// hash.
    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.seq.to_le_bytes());
        hasher.update(&(self.routing_key.len() as u64).to_le_bytes());
        hasher.update(self.routing_key.as_bytes());
        hasher.update(&self.body);
        hasher.update(self.running_hash.as_bytes());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            seq: 7,
            routing_key: "access.api_request.granted".to_owned(),
            body: b"{}".to_vec(),
            running_hash: RunningHash::default().after(b"{}"),
        }
    }

    #[test]
    fn whatever_changes_changes_the_checksum() {
        let changes: [fn(&mut Record); 4] = [
            |record| record.seq += 1,
            |record| record.routing_key.insert(0, 'x'),
            |record| record.body[0] ^= 1,
            |record| record.running_hash = RunningHash::default(),
        ];

        for change in changes {
            let mut changed = record();
            change(&mut changed);
            assert_ne!(changed.checksum(), record().checksum(), "{changed:?}");
        }
    }

    #[test]
    fn a_byte_that_moves_between_key_and_body_changes_it() {
        let mut changed = record();
        changed.body.insert(0, b'd');
        changed.routing_key.pop();

        assert_ne!(changed.checksum(), record().checksum());
    }
}
