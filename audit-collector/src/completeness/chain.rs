//! Whether the bytes of a run of numbers are those that their source hashed. Pure.
//!
//! A source's own events declare the running hash before them. Between two declarations it can be computed, and must meet the
//! second one; what lies before a run's first declaration waits until the run before it has been joined.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::spool::{EventDigest, RunningHash};

/// Digests of one run that wait at most: a source of 400 events a second declares before there are more.
const WAITING_MAX: usize = 4096;

/// What is known of the hash along a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    /// The digests before the first declaration; `None` once there were too many.
    waiting: Option<Digests>,
    /// The first declaration.
    first: Option<Declaration>,
    /// The number of the last declaration.
    last: u64,
    /// The hash after the run's last number, if it can be known.
    hash: Option<RunningHash>,
}

/// What an event says of all that its source numbered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Declaration {
    number: u64,
    hash: RunningHash,
}

/// Numbers whose bytes were checked as two runs were joined, or could not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// Nothing came to be checked.
    Nothing,
    /// They are as their source hashed them.
    Sound,
    /// Some of them are not.
    Altered(u64, u64),
    /// So many cannot be checked any more.
    Never(u64),
}

impl Chain {
    /// Of the one event `number`, which may declare the hash before it. Without its digest nothing can be checked across it.
    pub(super) fn of(number: u64, digest: Option<EventDigest>, declared: Option<RunningHash>) -> Self {
        // Before the first number there is nothing, whatever it declares.
        let declared = if number == 1 {
            Some(RunningHash::default())
        } else {
            declared
        };
        match declared {
            Some(hash) => Self {
                waiting: Some(Digests::default()),
                first: Some(Declaration { number, hash }),
                last: number,
                hash: digest.map(|digest| hash.after_digest(digest)),
            },
            None => Self {
                waiting: digest.map(|digest| Digests(vec![digest])),
                first: None,
                last: 0,
                hash: None,
            },
        }
    }

    /// Goes on with the chain of the run that begins where this one ends.
    pub(super) fn join(&mut self, next: Self) -> Checked {
        let reached = match (self.hash, &next.waiting) {
            (Some(hash), Some(waiting)) => Some(waiting.after(hash)),
            _ => None,
        };
        let checked = match (self.first, next.first, reached) {
            (_, None, _) | (None, Some(_), _) => Checked::Nothing,
            (Some(_), Some(first), Some(reached)) if reached == first.hash => Checked::Sound,
            (Some(_), Some(first), Some(_)) => Checked::Altered(self.last, first.number - 1),
            (Some(_), Some(first), None) => Checked::Never(first.number - self.last),
        };
        if self.first.is_none() {
            self.waiting = match (self.waiting.take(), next.waiting) {
                (Some(own), Some(more)) => own.and(more),
                _ => None,
            };
        }
        match next.first {
            Some(first) => {
                self.first.get_or_insert(first);
                self.last = next.last;
                self.hash = next.hash;
            }
            None => self.hash = reached,
        }
        checked
    }

    /// Digests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.0.len())
    }

    /// Gives up checking what waits.
    pub(super) fn forget(&mut self) {
        if self.waiting() > 0 {
            self.waiting = None;
        }
    }
}

/// Digests of events that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Digests(Vec<EventDigest>);

impl Digests {
    fn after(&self, hash: RunningHash) -> RunningHash {
        self.0
            .iter()
            .fold(hash, |hash, digest| hash.after_digest(*digest))
    }

    /// With `more` behind them, unless that is too many.
    fn and(mut self, more: Self) -> Option<Self> {
        self.0.extend(more.0);
        (self.0.len() <= WAITING_MAX).then_some(self)
    }
}

impl Serialize for Digests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.as_flattened()))
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        let (digests, rest) = bytes.as_chunks();
        if rest.is_empty() {
            Ok(Self(digests.to_vec()))
        } else {
            Err(D::Error::custom("digests have 32 bytes"))
        }
    }
}
