//! The hash over everything that a source has numbered, which its own events carry.

use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::clock::UtcMicros;
use crate::event::{Class, Draft, Facts, Outcome};

/// SHA-256 over the former value and the event's SHA-256: what was numbered cannot change unseen. Zero at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunningHash([u8; SHA256_OUTPUT_LEN]);

impl RunningHash {
    /// The value that was kept as `bytes`; `None` unless they are as many as the hash has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to keep.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value after one more event, given as it is on the wire.
    #[must_use]
    pub fn after(self, event: &[u8]) -> Self {
        let mut chained = self.0.to_vec();
        chained.extend_from_slice(digest(&SHA256, event).as_ref());
        let mut next = [0; SHA256_OUTPUT_LEN];
        next.copy_from_slice(digest(&SHA256, &chained).as_ref());
        Self(next)
    }
}

impl fmt::Display for RunningHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// An event about the source itself, with the last number and the running hash before it.
pub fn own_draft(action: &str, last_seq: u64, running_hash: RunningHash, now: UtcMicros) -> Draft {
    let facts = Facts::new(Class::System, action, Outcome::Success)
        .with_detail("last_seq", last_seq)
        .with_detail("running_hash", running_hash.to_string());
    Draft::new(now, facts)
}
