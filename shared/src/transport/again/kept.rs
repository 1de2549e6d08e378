//! The events of a producer that were confirmed last, in memory and, where it has a folder, on the disk.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::Lacking;
use super::disk::Files;
use super::left::{USEFUL_FOR, last_of_each};
use crate::runtime::blocking;
use crate::transport::Message;

/// Bytes of confirmed events that a producer holds in memory: some sixteen thousand events.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an event takes beside its bytes.
const ENTRY_BYTES: usize = 128;

/// How often an event is sent again at most: what is kept apart as often as it comes stays missing.
const TIMES_MAX: u8 = 3;

/// The events that were confirmed last, the oldest first, within a bound.
#[derive(Debug, Default)]
pub(in crate::transport) struct Kept {
    events: VecDeque<Confirmed>,
    bytes: usize,
    files: Option<Files>,
}

/// An event that was confirmed.
#[derive(Debug)]
struct Confirmed {
    boot: Uuid,
    seq: u64,
    message: Message,
    at: Instant,
    /// How often it was sent again.
    times: u8,
}

impl Confirmed {
    fn bytes(&self) -> usize {
        self.message.body.len() + ENTRY_BYTES
    }
}

impl Kept {
    /// Nothing yet. Without a folder, what is kept ends with the process.
    pub(in crate::transport) fn new(dir: Option<PathBuf>, service: &'static str) -> Self {
        Self {
            files: dir.map(|dir| Files::new(dir, service)),
            ..Self::default()
        }
    }

    /// Keeps events of a boot that were confirmed, in place of the oldest.
    pub(in crate::transport) async fn keep(&mut self, boot: Uuid, events: Vec<(u64, Message)>) {
        if self.files.is_some() {
            let bodies: Vec<Bytes> = events.iter().map(|(_, message)| message.body.clone()).collect();
            self.on_disk(move |files| files.append(&bodies)).await;
        }
        for (seq, message) in events {
            self.hold(boot, seq, message);
        }
    }

    /// Those that the log lacks, of this producer and of those that have ended, to be sent again.
    pub(in crate::transport) async fn take_lacking(&mut self, lacking: Lacking) -> VecDeque<Message> {
        let named = lacking.clone();
        let left = self.on_disk(move |files| files.left.lacking(&named)).await;
        let mut held: HashSet<_> = self.events.iter().map(|event| (event.boot, event.seq)).collect();
        for (boot, seq, message) in left.unwrap_or_default() {
            if held.insert((boot, seq)) {
                self.hold(boot, seq, message);
            }
        }
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

    /// The last event of each boot that says nothing itself any more, since it is not `own`: who lacks it does not know that it lacks
    /// anything. None without a folder, since nobody comes after another there.
    pub(in crate::transport) async fn last_of_ended(&mut self, own: Uuid) -> VecDeque<Message> {
        let Some(left) = self.on_disk(|files| files.left.last_of_each()).await else {
            return VecDeque::new();
        };
        let now = Instant::now();
        let is_of_use = |event: &&Confirmed| event.boot != own && now - event.at < USEFUL_FOR;
        let held = self.events.iter().filter(is_of_use);
        let held = held.map(|event| (event.boot, event.seq, event.message.clone()));
        let left = left.into_iter().filter(|(boot, _, _)| *boot != own);
        let last = last_of_each(left.chain(held)).into_iter();
        last.map(|(_, _, message)| message).collect()
    }

    fn hold(&mut self, boot: Uuid, seq: u64, message: Message) {
        let confirmed = Confirmed {
            boot,
            seq,
            message,
            at: Instant::now(),
            times: 0,
        };
        self.bytes += confirmed.bytes();
        self.events.push_back(confirmed);
        while self.bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// Asks the files, if there are any, off the runtime's threads.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> Option<T> {
        let mut files = self.files.take()?;
        let asking = blocking(move || {
            let answer = question(&mut files);
            (files, answer)
        });
        let (files, answer) = asking.await;
        self.files = Some(files);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LackingStretch, STRETCHES_MAX};
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

    fn stretch(boot: Uuid, (first, last): (u64, u64)) -> Lacking {
        let stretches = vec![LackingStretch { boot, first, last }];
        Lacking { stretches }
    }

    async fn found(kept: &mut Kept, boot: Uuid, numbers: (u64, u64)) -> Vec<String> {
        let found = kept.take_lacking(stretch(boot, numbers)).await;
        found.into_iter().map(|message| message.routing_key).collect()
    }

    #[tokio::test]
    async fn what_is_lacking_is_found_by_boot_and_number_in_its_order() {
        let mut kept = Kept::default();
        kept.keep(BOOT, vec![event(1, 1), event(2, 1), event(3, 1)]).await;
        kept.keep(OTHER, vec![event(2, 1)]).await;

        assert_eq!(found(&mut kept, BOOT, (2, 9)).await, ["event.2", "event.3"]);
        assert_eq!(found(&mut kept, OTHER, (1, 9)).await, ["event.2"]);
        assert!(found(&mut kept, Uuid::nil(), (1, 9)).await.is_empty());
    }

    #[tokio::test]
    async fn what_stays_missing_however_often_it_is_sent_is_given_up() {
        let mut kept = Kept::default();
        kept.keep(BOOT, vec![event(1, 1)]).await;

        let mut times = 0;
        for _ in 0..10 {
            times += found(&mut kept, BOOT, (1, 1)).await.len();
        }

        assert_eq!(times, usize::from(TIMES_MAX));
    }

    #[tokio::test]
    async fn the_oldest_are_let_go_of_beyond_the_bound_whatever_an_event_weighs() {
        for bytes in [0, 1_000, KEPT_BYTES_MAX] {
            let mut kept = Kept::default();
            let count = (KEPT_BYTES_MAX / (bytes + ENTRY_BYTES)) as u64;

            for seq in 1..=count + 3 {
                kept.keep(BOOT, vec![event(seq, bytes)]).await;
            }

            assert_eq!(kept.events.len() as u64, count, "{bytes}");
            assert!(kept.bytes <= KEPT_BYTES_MAX);
            assert!(found(&mut kept, BOOT, (1, 3)).await.is_empty());
        }
    }

    #[tokio::test]
    async fn a_word_that_names_more_than_it_may_is_heard_in_part() {
        let mut kept = Kept::default();
        kept.keep(BOOT, (1..=1_000).map(|seq| event(seq, 1)).collect())
            .await;
        let one = |seq| LackingStretch {
            boot: BOOT,
            first: seq,
            last: seq,
        };

        let lacking = Lacking {
            stretches: (1..=1_000).map(one).collect(),
        };

        assert_eq!(kept.take_lacking(lacking).await.len(), STRETCHES_MAX);
    }

    #[tokio::test]
    async fn what_a_producer_has_left_is_sent_by_another_and_given_up_in_time_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let before = super::super::tests::numbered(1..=3);
        let boot = super::super::tests::BOOT;
        let kept = || Kept::new(Some(dir.path().to_owned()), "api-service");
        let mut gone = kept();
        gone.keep(boot, before.clone()).await;
        drop(gone);
        let mut heir = kept();

        let mut sent = Vec::new();
        for _ in 0..10 {
            sent.extend(heir.take_lacking(stretch(boot, (2, 2))).await);
        }

        let (_, second) = before[1].clone();
        assert_eq!(sent, vec![second; usize::from(TIMES_MAX)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_event_of_a_boot_that_has_ended_is_told_without_being_asked_for_while_it_is_of_use() {
        let dir = tempfile::tempdir().unwrap();
        let events = super::super::tests::numbered(1..=3);
        let boot = super::super::tests::BOOT;
        let last = vec![events[2].1.clone()];
        let kept = || Kept::new(Some(dir.path().to_owned()), "api-service");

        // Of a boot whose events this producer has sent for it,
        let mut adopter = kept();
        adopter.keep(boot, events).await;
        adopter.keep(OTHER, vec![event(9, 1)]).await;
        assert_eq!(adopter.last_of_ended(OTHER).await, last);
        tokio::time::advance(USEFUL_FOR).await;
        assert!(adopter.last_of_ended(OTHER).await.is_empty());
        drop(adopter);

        // and of one that another has sent, as often as it is looked at.
        let mut heir = kept();
        for _ in 0..2 {
            assert_eq!(heir.last_of_ended(OTHER).await, last);
        }
        assert!(heir.last_of_ended(boot).await.is_empty());
    }
}
