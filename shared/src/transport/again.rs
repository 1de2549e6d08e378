//! What the log lacks, and the events that were confirmed last, of which it can be sent again.
//!
//! A broker confirms what it has, and can lose it all the same: a queue that is deleted or purged takes along what is in it, and
//! RabbitMQ confirms what is on its way to a queue that is being deleted. The collector tells what numbers are missing.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Listener, Message};

/// Bytes of confirmed events that a producer holds in memory: some sixteen thousand events.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an event takes beside its bytes.
const ENTRY_BYTES: usize = 128;

/// Stretches that one word may name.
pub const STRETCHES_MAX: usize = 256;

/// How often an event is sent again at most: what is kept apart as often as it comes stays missing.
const TIMES_MAX: u8 = 3;

/// Failures in a row after which it is news that nothing is heard: a producer may be up before what it listens to.
const FAILURES_TOLD: u32 = 4;

/// How long after a failure the next one is in a row with it.
const IN_A_ROW: Duration = Duration::from_mins(1);

/// The word of what the log lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The numbers, of at most [`STRETCHES_MAX`] stretches.
    pub stretches: Vec<LackingStretch>,
}

/// Numbers of one boot that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LackingStretch {
    /// The boot that gave them.
    pub boot: Uuid,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Lacking {
    fn names(&self, boot: Uuid, seq: u64) -> bool {
        let mut stretches = self.stretches.iter().take(STRETCHES_MAX);
        stretches.any(|lacking| lacking.boot == boot && (lacking.first..=lacking.last).contains(&seq))
    }
}

/// The events that were confirmed last, the oldest first, within a bound.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: VecDeque<Confirmed>,
    bytes: usize,
}

/// An event that was confirmed.
#[derive(Debug)]
struct Confirmed {
    boot: Uuid,
    seq: u64,
    message: Message,
    /// How often it was sent again.
    times: u8,
}

impl Confirmed {
    fn bytes(&self) -> usize {
        self.message.body.len() + ENTRY_BYTES
    }
}

impl Kept {
    /// Keeps events of a boot that were confirmed, in place of the oldest.
    pub(super) fn keep(&mut self, boot: Uuid, events: impl IntoIterator<Item = (u64, Message)>) {
        for (seq, message) in events {
            let confirmed = Confirmed {
                boot,
                seq,
                message,
                times: 0,
            };
            self.bytes += confirmed.bytes();
            self.events.push_back(confirmed);
        }
        while self.bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// Those that the log lacks, to be sent again.
    pub(super) fn take_lacking(&mut self, lacking: &Lacking) -> VecDeque<Message> {
        let named = self
            .events
            .iter_mut()
            .filter(|event| event.times < TIMES_MAX && lacking.names(event.boot, event.seq));
        named
            .map(|event| {
                event.times += 1;
                event.message.clone()
            })
            .collect()
    }
}

/// What is heard of what the log lacks.
#[derive(Debug)]
pub struct Asked {
    heard: mpsc::Receiver<Lacking>,
    /// Ends with this.
    _listening: AbortOnDropHandle<()>,
}

impl Asked {
    pub(super) fn listen(listener: Listener) -> Self {
        // One at a time: what is still missing is told again.
        let (hearing, heard) = mpsc::channel(1);
        Self {
            heard,
            _listening: AbortOnDropHandle::new(tokio::spawn(listen(listener, hearing))),
        }
    }

    /// What was heard since, if anything.
    pub(super) fn take(&mut self) -> Option<Lacking> {
        self.heard.try_recv().ok()
    }
}

async fn listen(listener: Listener, hearing: mpsc::Sender<Lacking>) {
    let mut words = std::pin::pin!(listener.words());
    let (mut failures, mut failed_at) = (0_u32, Instant::now());
    while let Some(word) = words.next().await {
        let body = match word {
            Ok(body) => body,
            Err(error) => {
                if failed_at.elapsed() >= IN_A_ROW {
                    failures = 0;
                }
                failures = failures.saturating_add(1);
                failed_at = Instant::now();
                if failures == FAILURES_TOLD {
                    tracing::warn!(%error, "it is not heard what the log lacks; what the broker loses is not sent again");
                }
                continue;
            }
        };
        match serde_json::from_slice(&body) {
            Ok(lacking) => drop(hearing.try_send(lacking)),
            Err(error) => tracing::warn!(%error, "what the log lacks cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn event(seq: u64, bytes: usize) -> (u64, Message) {
        let message = Message {
            routing_key: format!("event.{seq}"),
            body: vec![b'x'; bytes].into(),
        };
        (seq, message)
    }

    fn found(kept: &mut Kept, boot: Uuid, (first, last): (u64, u64)) -> Vec<String> {
        let stretches = vec![LackingStretch { boot, first, last }];
        let found = kept.take_lacking(&Lacking { stretches });
        found.into_iter().map(|message| message.routing_key).collect()
    }

    #[test]
    fn what_is_lacking_is_found_by_boot_and_number_in_its_order() {
        let mut kept = Kept::default();
        kept.keep(BOOT, vec![event(1, 1), event(2, 1), event(3, 1)]);
        kept.keep(OTHER, vec![event(2, 1)]);

        assert_eq!(found(&mut kept, BOOT, (2, 9)), ["event.2", "event.3"]);
        assert_eq!(found(&mut kept, OTHER, (1, 9)), ["event.2"]);
        assert!(found(&mut kept, Uuid::nil(), (1, 9)).is_empty());
    }

    #[test]
    fn what_stays_missing_however_often_it_is_sent_is_given_up() {
        let mut kept = Kept::default();
        kept.keep(BOOT, vec![event(1, 1)]);

        let times = (0..10).filter(|_| !found(&mut kept, BOOT, (1, 1)).is_empty());

        assert_eq!(times.count(), usize::from(TIMES_MAX));
    }

    #[test]
    fn the_oldest_are_let_go_of_beyond_the_bound_whatever_an_event_weighs() {
        for bytes in [0, 1_000, KEPT_BYTES_MAX] {
            let mut kept = Kept::default();
            let count = (KEPT_BYTES_MAX / (bytes + ENTRY_BYTES)) as u64;

            for seq in 1..=count + 3 {
                kept.keep(BOOT, vec![event(seq, bytes)]);
            }

            assert_eq!(kept.events.len() as u64, count, "{bytes}");
            assert!(kept.bytes <= KEPT_BYTES_MAX);
            assert!(found(&mut kept, BOOT, (1, 3)).is_empty());
        }
    }

    #[test]
    fn a_word_that_names_more_than_it_may_is_heard_in_part() {
        let mut kept = Kept::default();
        kept.keep(BOOT, (1..=1_000).map(|seq| event(seq, 1)));
        let one = |seq| LackingStretch {
            boot: BOOT,
            first: seq,
            last: seq,
        };

        let lacking = Lacking {
            stretches: (1..=1_000).map(one).collect(),
        };

        assert_eq!(kept.take_lacking(&lacking).len(), STRETCHES_MAX);
    }
}
