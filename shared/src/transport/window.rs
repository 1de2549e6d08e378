//! What a producer has on its way: several batches at a time, confirmed in order. Whatever keeps its events until then, a spool on the
//! disk or a table, sends them so. Of what was confirmed the last is held for a while, and sent again when the log lacks it.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::watch;
use uuid::Uuid;

use super::again::Kept;
use super::{Asked, Message, PublishError, Publisher, Transport};
use crate::runtime::Backoff;

/// Events in one batch at most: enough to share what a batch costs, few enough that the first is soon on its way.
pub const BATCH_MAX: usize = 512;

/// Batches on their way at most. A quorum queue confirms after its disks have synced, milliseconds later; meanwhile the
/// next are sent: with these, 4,096 events.
const BATCHES_MAX: usize = 8;

/// Bytes on their way at most, not counting the last batch: what a slow broker may make the sender hold in memory.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// An event with its number in the row of its producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number. Each is larger than the one before.
    pub seq: u64,
    /// What is sent.
    pub message: Message,
}

/// The publisher, what it has sent, and its patience. Everything up to the mark of what is confirmed may be forgotten;
/// after an error, everything behind it is to be sent again.
pub struct Window {
    publisher: Publisher,
    /// Where events are meanwhile, as people call it.
    keeper: &'static str,
    backoff: Backoff,
    on_the_way: FuturesOrdered<BoxFuture<'static, Answered>>,
    bytes: usize,
    boot: Uuid,
    marks: Marks,
    kept: Kept,
    asked: Asked,
    /// What the log lacks and is not on its way again yet.
    again: VecDeque<Message>,
    is_failing: bool,
    must_pause: bool,
}

impl fmt::Debug for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Window")
            .field("keeper", &self.keeper)
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}

/// Up to which number events have come.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    sent: u64,
    confirmed: u64,
}

/// A batch on its way.
struct Batch {
    /// Everything up to here is confirmed with it.
    last: u64,
    bytes: usize,
    messages: Vec<Message>,
    /// The numbers of the messages; none if they are sent again.
    numbers: Vec<u64>,
}

type Answered = (Batch, Result<(), PublishError>);

/// What became of the oldest batch on its way.
#[must_use]
pub struct Oldest(Answered);

impl fmt::Debug for Oldest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Oldest")
    }
}

impl Window {
    /// A window with nothing on its way, for events that are in the `keeper`, such as the "spool".
    ///
    /// What is confirmed is kept in `dir` as well, so that who comes after this process can send it again; other producers of the service
    /// may share it.
    pub fn new(
        transport: &Transport,
        service: &'static str,
        keeper: &'static str,
        dir: Option<PathBuf>,
    ) -> Self {
        // Within one process nothing is confirmed that is not stored.
        let dir = dir.filter(|_| matches!(transport, Transport::Rabbit(_)));
        Self {
            publisher: transport.publisher(service),
            keeper,
            backoff: Backoff::default(),
            on_the_way: FuturesOrdered::new(),
            bytes: 0,
            boot: Uuid::nil(),
            marks: Marks::default(),
            kept: Kept::new(dir, service),
            asked: transport.asked(),
            again: VecDeque::new(),
            is_failing: false,
            must_pause: false,
        }
    }

    /// Turns to the events of a boot, of which everything up to `confirmed` is confirmed. Nothing may be on its way.
    pub fn begin(&mut self, boot: Uuid, confirmed: u64) {
        self.boot = boot;
        self.forget(confirmed);
    }

    /// Whether the broker blocks, now and later.
    pub fn watch_blocked(&self) -> watch::Receiver<bool> {
        self.publisher.watch_blocked()
    }

    /// The number after which the next batch begins.
    pub const fn sent(&self) -> u64 {
        self.marks.sent
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// Whether another batch may follow before one is confirmed.
    pub fn has_room(&self) -> bool {
        self.on_the_way.len() < BATCHES_MAX && self.bytes < BYTES_MAX
    }

    /// Whether the last that was settled, or could not be sent, failed.
    pub const fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Waits a little after a failure, before what comes next.
    pub async fn pause(&mut self) {
        if self.must_pause {
            self.backoff.wait().await;
            self.must_pause = false;
        }
    }

    /// Sends the events that follow the last batch. If that fails, nothing is on its way.
    pub async fn send(&mut self, events: impl IntoIterator<Item = Numbered>) {
        let (numbers, messages): (Vec<_>, Vec<_>) =
            events.into_iter().map(|event| (event.seq, event.message)).unzip();
        if let Some(last) = numbers.last().copied() {
            self.send_batch(last, messages, numbers).await;
        }
    }

    /// Sends again what was confirmed and the log lacks, as far ahead of the confirms as it may; what is not at hand any more is passed
    /// over. If that fails, it is given up, since it is asked for again.
    pub async fn send_again(&mut self) {
        if self.again.is_empty()
            && let Some(lacking) = self.asked.take()
        {
            self.again = self.kept.take_lacking(lacking).await;
            if !self.again.is_empty() {
                tracing::warn!(
                    events = self.again.len(),
                    "events that the broker had confirmed are missing in the log; they are sent again"
                );
            }
        }
        while !self.again.is_empty() && self.has_room() {
            let count = self.again.len().min(BATCH_MAX);
            let messages = self.again.drain(..count).collect();
            self.send_batch(self.marks.sent, messages, Vec::new()).await;
        }
    }

    /// Has the last event of each boot that has ended sent again, with what is sent again next: what the broker has lost after the one
    /// that the log has last, nobody would miss.
    pub async fn remind(&mut self) {
        if self.again.is_empty() {
            self.again = self.kept.last_of_ended(self.boot).await;
        }
    }

    async fn send_batch(&mut self, last: u64, messages: Vec<Message>, numbers: Vec<u64>) {
        let batch = Batch {
            last,
            bytes: messages.iter().map(|message| message.body.len()).sum(),
            messages,
            numbers,
        };
        match self.publisher.send(&batch.messages).await {
            Ok(confirms) => {
                self.marks.sent = batch.last;
                self.bytes += batch.bytes;
                let confirming = async move { (batch, confirms.confirmed().await) };
                self.on_the_way.push_back(Box::pin(confirming));
            }
            Err(error) => self.rewind(&error).await,
        }
    }

    /// Waits for the oldest batch, which is then to be settled; never returns if nothing is on its way. Dropping the future
    /// loses nothing.
    pub async fn oldest(&mut self) -> Oldest {
        match self.on_the_way.next().await {
            Some(oldest) => Oldest(oldest),
            None => std::future::pending().await,
        }
    }

    /// Settles the oldest batch and returns the number up to which everything is confirmed; `None` after an error, when everything
    /// behind that number is to be sent again.
    pub async fn settle(&mut self, oldest: Oldest) -> Option<u64> {
        let Oldest((batch, result)) = oldest;
        self.bytes = self.bytes.saturating_sub(batch.bytes);
        if let Err(error) = result {
            self.rewind(&error).await;
            return None;
        }
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("events are forwarded again");
        }
        self.backoff.reset();
        let events = batch.numbers.into_iter().zip(batch.messages).collect();
        self.kept.keep(self.boot, events).await;
        self.marks.confirmed = batch.last;
        Some(batch.last)
    }

    /// Gives up what is on its way.
    async fn rewind(&mut self, error: &PublishError) {
        // An outage is one piece of news.
        if std::mem::replace(&mut self.is_failing, true) {
            tracing::debug!(%error, "events still wait in the {}", self.keeper);
        } else {
            tracing::warn!(%error, "events wait in the {}", self.keeper);
        }
        if error.leaves_the_connection() {
            // The connection is used again, and its confirms would be kept for whoever asks.
            while self.on_the_way.next().await.is_some() {}
        }
        self.publisher.note(error);
        self.forget(self.marks.confirmed);
        self.must_pause = true;
    }

    fn forget(&mut self, confirmed: u64) {
        self.on_the_way.clear();
        self.again.clear();
        self.bytes = 0;
        self.marks = Marks {
            sent: confirmed,
            confirmed,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::transport::{
        Announcer, Bus, Consumer, Delivery, Lacking, LackingStretch, Receipt, Transport, Word,
    };

    const BOOT: Uuid = Uuid::from_u128(7);

    struct Rig {
        window: Window,
        consumer: Consumer,
        announcer: Announcer,
    }

    impl Rig {
        fn new() -> Self {
            let transport = Transport::InProcess(Bus::new());
            let mut window = Window::new(&transport, "api-service", "spool", None);
            window.begin(BOOT, 0);
            Self {
                window,
                consumer: transport.consumer(1000),
                announcer: transport.announcer(Word::Lacking),
            }
        }

        async fn send(&mut self, numbers: std::ops::RangeInclusive<u64>) {
            let event = |seq| Numbered {
                seq,
                message: Message {
                    routing_key: "access.api_request.granted".into(),
                    body: seq.to_string().into(),
                },
            };
            self.window.send(numbers.map(event)).await;
        }

        async fn receive(&mut self, count: usize) -> Vec<Delivery> {
            self.consumer
                .receive(count, Duration::from_secs(5))
                .await
                .unwrap()
        }

        async fn acknowledge(&mut self, deliveries: Vec<Delivery>) {
            let receipts: Vec<Receipt> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
            self.consumer.acknowledge(receipts).await.unwrap();
        }

        async fn settle(&mut self) -> Option<u64> {
            let oldest = self.window.oldest().await;
            self.window.settle(oldest).await
        }

        /// Sends numbers that arrive and are confirmed.
        async fn send_and_confirm(&mut self, numbers: std::ops::RangeInclusive<u64>) {
            let last = *numbers.end();
            let count = numbers.clone().count();
            self.send(numbers).await;
            let deliveries = self.receive(count).await;
            self.acknowledge(deliveries).await;
            assert_eq!(self.settle().await, Some(last));
        }

        /// Says that the log lacks these numbers, until they are on their way.
        async fn lack(&mut self, first: u64, last: u64) {
            let boot = BOOT;
            let lacking = Lacking {
                stretches: vec![LackingStretch { boot, first, last }],
            };
            // Who listens is a task of its own.
            for _ in 0..1_000 {
                let word = serde_json::to_vec(&lacking).unwrap();
                self.announcer.announce(word).await.unwrap();
                tokio::task::yield_now().await;
                self.window.send_again().await;
                if !self.window.is_empty() {
                    return;
                }
            }
            panic!("nothing is sent again");
        }
    }

    fn bodies(deliveries: &[Delivery]) -> Vec<&[u8]> {
        deliveries.iter().map(|delivery| delivery.body.as_ref()).collect()
    }

    #[tokio::test]
    async fn what_was_confirmed_is_sent_again_when_the_log_lacks_it_and_counts_once() {
        let mut rig = Rig::new();
        rig.send_and_confirm(1..=4).await;

        rig.lack(2, 3).await;

        assert_eq!(rig.window.sent(), 4);
        let again = rig.receive(2).await;
        assert_eq!(bodies(&again), [b"2", b"3"]);
        rig.acknowledge(again).await;
        assert_eq!(rig.settle().await, Some(4));
        rig.send_and_confirm(5..=5).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_sent_again_is_sent_when_it_is_asked_for_once_more() {
        let mut rig = Rig::new();
        rig.send_and_confirm(1..=2).await;
        rig.lack(1, 1).await;
        drop(rig.receive(1).await);
        assert_eq!(rig.settle().await, None);
        assert_eq!(rig.window.sent(), 2, "what is confirmed stays so");

        rig.lack(1, 1).await;

        assert_eq!(bodies(&rig.receive(1).await), [b"1"]);
    }

    #[tokio::test]
    async fn more_than_a_batch_is_sent_again_in_its_order() {
        let mut rig = Rig::new();
        let count = BATCH_MAX as u64 + 1;
        rig.send_and_confirm(1..=count).await;

        rig.lack(1, count).await;

        let mut numbers = Vec::new();
        while !rig.window.is_empty() {
            let again = rig.receive(BATCH_MAX).await;
            numbers.extend(bodies(&again).into_iter().map(<[u8]>::to_vec));
            rig.acknowledge(again).await;
            assert_eq!(rig.settle().await, Some(count));
        }
        let expected: Vec<_> = (1..=count).map(|seq| seq.to_string().into_bytes()).collect();
        assert_eq!(numbers, expected);
    }

    #[tokio::test]
    async fn a_batch_follows_before_the_one_ahead_is_confirmed_and_counts_after_it() {
        let mut rig = Rig::new();
        rig.send(1..=2).await;
        rig.send(3..=3).await;
        let first = rig.receive(2).await;
        let second = rig.receive(1).await;

        rig.acknowledge(second).await;
        assert!(rig.window.oldest().now_or_never().is_none());
        rig.acknowledge(first).await;

        assert_eq!(rig.settle().await, Some(2));
        assert_eq!(rig.settle().await, Some(3));
        assert!(rig.window.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_refused_takes_those_behind_it_back() {
        let mut rig = Rig::new();
        rig.send(1..=1).await;
        rig.send(2..=3).await;
        rig.send(4..=4).await;
        let first = rig.receive(1).await;
        rig.acknowledge(first).await;
        drop(rig.receive(2).await);
        let last = rig.receive(1).await;
        rig.acknowledge(last).await;

        assert_eq!(rig.settle().await, Some(1));
        assert_eq!(rig.settle().await, None);

        assert_eq!(rig.window.sent(), 1);
        assert!(rig.window.is_empty());
        assert!(rig.window.is_failing());
        // It waits once for a failure, and no more.
        assert!(rig.window.pause().now_or_never().is_none());
        rig.window.pause().await;
        assert!(rig.window.pause().now_or_never().is_some());
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_batches_and_again_when_one_is_confirmed() {
        let mut rig = Rig::new();
        for number in 1..=BATCHES_MAX as u64 {
            assert!(rig.window.has_room());
            rig.send(number..=number).await;
        }
        assert!(!rig.window.has_room());

        let first = rig.receive(1).await;
        rig.acknowledge(first).await;
        assert_eq!(rig.settle().await, Some(1));

        assert!(rig.window.has_room());
    }
}
