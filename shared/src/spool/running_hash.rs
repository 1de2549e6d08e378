//! The hash over everything that a source has numbered, which its own events carry.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::UtcMicros;
use crate::event::action::BOOT;
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
        self.after_digest(event_digest(event))
    }

    /// The value after one more event, given by its [`event_digest`].
    #[must_use]
    pub fn after_digest(self, event: EventDigest) -> Self {
        let mut chained = Context::new(&SHA256);
        chained.update(&self.0);
        chained.update(&event);
        let mut next = [0; SHA256_OUTPUT_LEN];
        next.copy_from_slice(chained.finish().as_ref());
        Self(next)
    }
}

/// What stands for an event in a running hash: the SHA-256 of its bytes on the wire.
pub type EventDigest = [u8; SHA256_OUTPUT_LEN];

/// The digest of an event, given as it is on the wire.
pub fn event_digest(event: &[u8]) -> EventDigest {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, event).as_ref());
    bytes
}

/// The text is not a running hash: 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a running hash is 64 hexadecimal digits in lower case")]
pub struct InvalidRunningHash;

impl FromStr for RunningHash {
    type Err = InvalidRunningHash;

    fn from_str(text: &str) -> Result<Self, InvalidRunningHash> {
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * SHA256_OUTPUT_LEN || !text.bytes().all(plain) {
            return Err(InvalidRunningHash);
        }
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| InvalidRunningHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidRunningHash)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for RunningHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunningHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for RunningHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// An event about the source itself, with the last number and the running hash before it; the first one names the version too.
pub fn own_draft(action: &str, last_seq: u64, running_hash: RunningHash, now: UtcMicros) -> Draft {
    let facts = Facts::new(Class::System, action, Outcome::Success)
        .with_detail("last_seq", last_seq)
        .with_detail("running_hash", running_hash.to_string());
    let facts = if action == BOOT {
        // That of the workspace, which all services have.
        facts.with_detail("version", env!("CARGO_PKG_VERSION"))
    } else {
        facts
    };
    Draft::new(now, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_hash_is_read_as_it_is_written() {
        let hash = RunningHash::default().after(b"one").after(b"two");

        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(
            hash,
            RunningHash::default()
                .after(b"one")
                .after_digest(event_digest(b"two"))
        );
        for wrong in [
            "",
            &hash.to_string().to_uppercase(),
            &"0".repeat(63),
            &"é".repeat(32),
        ] {
            assert_eq!(wrong.parse::<RunningHash>(), Err(InvalidRunningHash), "{wrong}");
        }
    }
}
