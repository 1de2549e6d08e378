//! The bound on messages to a receiver in an hour: what is beyond it is held back, and told by one message.

mod store;

use shared::clock::UtcMicros;
use uuid::Uuid;

pub(super) use store::{delivered_since, held, hold_back, note_told};

/// Messages that were held back and of which the receiver does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The first of them.
    first: Uuid,
    /// How many there are.
    pub(super) count: i64,
    /// When the last of them was held back.
    pub(super) until: UtcMicros,
}

impl Held {
    /// By what id the receiver is told: made of the first one's, so that told twice it is told once, and other than that, under
    /// which the message itself may still come.
    pub(super) const fn id(&self) -> Uuid {
        Uuid::from_u128(self.first.as_u128() ^ 1)
    }
}
