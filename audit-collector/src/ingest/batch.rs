//! What has come and is not stored yet: gathered until it is enough, or has waited long enough. Pure.

use std::time::Duration;

use shared::transport::{Delivery, Receipt};
use tokio::time::Instant;

use super::{Ingest, Judged, judge};
use crate::dead_letter::DeadLetter;
use crate::event_log::Arrival;

/// Bytes of a batch after which nothing more is added: large events must not make a transaction slow or fill the memory.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The reason of a dead letter that collectors died of again and again. Nobody has looked at what it is.
const GIVEN_UP: &str = "given_up";

/// Events and dead letters to be stored in one transaction, and what acknowledges them then.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) dead: Vec<DeadLetter>,
    pub(super) receipts: Vec<Receipt>,
    bytes: usize,
    began: Option<Instant>,
}

impl Batch {
    /// Adds deliveries that came at `now`.
    pub(super) fn take(&mut self, deliveries: Vec<Delivery>, settings: Ingest, now: Instant) {
        for delivery in deliveries {
            self.began.get_or_insert(now);
            self.bytes += delivery.body.len();
            self.receipts.push(delivery.receipt);
            let judged = if delivery.returned > settings.returned_max {
                Judged::Dead(DeadLetter {
                    reason: GIVEN_UP,
                    publisher: delivery.publisher,
                    body: delivery.body,
                })
            } else {
                judge(delivery.body, delivery.publisher)
            };
            match judged {
                Judged::Event(arrival) => self.arrivals.push(*arrival),
                Judged::Dead(letter) => self.dead.push(letter),
            }
        }
    }

    /// How many more it may take.
    pub(super) fn room(&self, settings: Ingest) -> usize {
        if self.bytes < BYTES_MAX {
            settings.batch_max.saturating_sub(self.receipts.len())
        } else {
            0
        }
    }

    /// When it is to be stored: at once if it is full, never if it is empty.
    pub(super) fn due(&self, settings: Ingest) -> Option<Instant> {
        let linger = if self.room(settings) == 0 {
            Duration::ZERO
        } else {
            settings.linger
        };
        Some(self.began? + linger)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const SETTINGS: Ingest = Ingest {
        batch_max: 3,
        linger: Duration::from_millis(20),
        returned_max: 1,
    };

    fn delivery(bytes: usize) -> Delivery {
        Delivery {
            body: Bytes::from(vec![b'x'; bytes]),
            publisher: None,
            returned: 0,
            receipt: Receipt::Tag(1),
        }
    }

    #[test]
    fn a_batch_is_due_when_its_first_event_has_waited_long_enough() {
        let (mut batch, now) = (Batch::default(), Instant::now());
        assert_eq!(batch.due(SETTINGS), None);

        batch.take(vec![delivery(1)], SETTINGS, now);
        batch.take(vec![delivery(1)], SETTINGS, now + Duration::from_millis(19));

        assert_eq!(batch.due(SETTINGS), Some(now + SETTINGS.linger));
        assert_eq!(batch.room(SETTINGS), 1);
    }

    #[test]
    fn a_full_batch_is_due_at_once_whether_by_count_or_by_bytes() {
        let now = Instant::now();
        for deliveries in [
            vec![delivery(1), delivery(1), delivery(1)],
            vec![delivery(BYTES_MAX)],
        ] {
            let mut batch = Batch::default();

            batch.take(deliveries, SETTINGS, now);

            assert_eq!(batch.room(SETTINGS), 0);
            assert_eq!(batch.due(SETTINGS), Some(now));
        }
    }

    #[test]
    fn what_came_too_often_is_not_looked_at() {
        let mut batch = Batch::default();
        let again = |returned| Delivery {
            returned,
            ..delivery(1)
        };

        batch.take(vec![again(1), again(2)], SETTINGS, Instant::now());

        let reasons: Vec<_> = batch.dead.iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, ["malformed", GIVEN_UP]);
    }
}
