//! What must be refused although its token verifies: revocations, held exactly and until they expire (DESIGN §3).

mod log;
mod set;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use log::{Announcement, Entry, Page, Target};
pub use set::{Ban, BanCause, RevocationSet, Subject};

/// How long a verifier may be without word from the feed before it refuses, unless set otherwise (`blind_max`, DESIGN §3).
pub const BLIND_MAX: Duration = Duration::from_secs(5);
