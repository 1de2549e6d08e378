//! One reader who follows the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use shared::event::{Event, action};
use shared::guard::{Admitted, Guard};
use shared::runtime::shutdown::CancellationToken;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::event_log::{EventLog, Growth, Positioned};
use crate::search::{EventBody, Filter};

/// Events that are read at a time, which is all that a tail holds.
const PAGE: usize = 256;

/// How long a tail waits before it asks a database again that failed.
const RETRY: Duration = Duration::from_secs(1);

/// The template of the path by which tails are asked for.
pub(super) const PATH: &str = "/v1/events/stream";

/// What a reader is sent next.
pub(super) enum Frame {
    /// An event, as JSON, and its position.
    Event(u64, String),
    /// Nothing to show up to that position, but a reader that comes back need not go through it again.
    Passed(u64),
    /// Nothing more will come, and why.
    End(&'static str),
}

/// A reader and its place in the log.
pub(super) struct Tail {
    pub(super) log: EventLog,
    pub(super) filter: Filter,
    /// The next position to read.
    pub(super) next: u64,
    pub(super) guard: Arc<Guard>,
    pub(super) admitted: Admitted,
    pub(super) stopping: CancellationToken,
    #[expect(dead_code, reason = "it is given back when the reader is gone")]
    pub(super) place: OwnedSemaphorePermit,
}

/// A tail at work.
struct Following {
    tail: Tail,
    growth: Growth,
    changes: watch::Receiver<()>,
    page: VecDeque<Frame>,
    has_ended: bool,
}

impl Tail {
    /// Its frames, until its reader may not read any more or the process stops.
    pub(super) fn frames(self) -> impl Stream<Item = Frame> + Send {
        let following = Following {
            growth: self.log.growth(),
            changes: self.guard.changes(),
            page: VecDeque::new(),
            has_ended: false,
            tail: self,
        };
        futures_util::stream::unfold(following, |mut following| async {
            let frame = following.next().await?;
            Some((frame, following))
        })
    }
}

impl Following {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if self.has_ended {
                return None;
            }
            // Before each frame: what was read a moment ago may not be told any more.
            if let Some(reason) = self.end() {
                self.has_ended = true;
                return Some(Frame::End(reason));
            }
            if let Some(frame) = self.page.pop_front() {
                return Some(frame);
            }
            match self.tail.log.read_positions(self.tail.next, PAGE).await {
                Ok(page) if page.is_empty() => self.wait().await,
                Ok(page) => self.take(&page),
                Err(error) => {
                    tracing::warn!(%error, "a live tail cannot read the log; trying again");
                    tokio::select! {
                        () = self.tail.stopping.cancelled() => {}
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
            }
        }
    }

    /// Why nothing more may be told, if so.
    fn end(&self) -> Option<&'static str> {
        if self.tail.stopping.is_cancelled() {
            return Some("stopping");
        }
        let objection = self.tail.guard.objection(&self.tail.admitted);
        objection.map(|objection| objection.refusal.code())
    }

    /// Waits for more, or for a reason to look whether the reader may still read. An expiry is noticed because the wait is short.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.tail.stopping.cancelled() => {}
            _ = self.changes.changed() => {}
            () = self.growth.awaited() => {}
        }
    }

    fn take(&mut self, page: &[Positioned]) {
        let told = page.iter().filter(|one| self.tail.tells(one));
        self.page = told.map(frame).collect();
        let Some(last) = page.last() else { return };
        self.tail.next = last.position + 1;
        if self.page.is_empty() {
            self.page.push_back(Frame::Passed(last.position));
        }
    }
}

impl Tail {
    /// Whether the reader is told of an event. Tails do not show each other: two of them would feed on it.
    fn tells(&self, one: &Positioned) -> bool {
        one.event
            .as_ref()
            .is_some_and(|event| !is_tail(event) && self.filter.matches(event, one.locality, one.recorded_at))
    }
}

fn is_tail(event: &Event) -> bool {
    let route = event.facts.http.as_ref().and_then(|http| http.route.as_deref());
    event.facts.action == action::SENSITIVE_READ && route == Some(PATH)
}

fn frame(one: &Positioned) -> Frame {
    // Texts and numbers alone cannot fail to be written.
    let body = serde_json::to_string(&EventBody::of(one)).unwrap_or_default();
    Frame::Event(one.position, body)
}
