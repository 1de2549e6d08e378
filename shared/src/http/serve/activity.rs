//! Tells when a connection does nothing any more: no request begun, none open, or an answer that nobody reads.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, sleep};

/// What a connection has open.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Requests that have begun.
    requests: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Handed>>>,
}

/// When the client was last handed a part of an answer that it has not taken yet: milliseconds after the connection began,
/// and one; 0 while the client waits for us.
#[derive(Debug, Default)]
struct Handed(AtomicU64);

/// Why a connection should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lull {
    /// No request has begun in time.
    Silent,
    /// No request is open.
    Idle,
    /// A part of an answer has waited for too long to be read.
    Unread,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            requests: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }

    /// Notes that a request has begun. It is open until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> OpenRequest {
        let number = self.requests.fetch_add(1, Ordering::AcqRel);
        let handed = Arc::new(Handed::default());
        self.open().insert(number, Arc::clone(&handed));
        OpenRequest {
            activity: Arc::clone(self),
            number,
            handed,
        }
    }

    /// Waits until the connection should end. It is looked at every `patience`, so that an idle one ends after one to two
    /// of them. What is left of an answer when its body has been handed over, 64 KiB and what the kernel holds, is to be
    /// read in that time too.
    pub(super) async fn lull(&self, patience: Duration, unread_max: Duration) -> Lull {
        let mut seen = 0;
        loop {
            sleep(patience).await;
            let requests = self.requests.load(Ordering::Acquire);
            if requests == 0 {
                return Lull::Silent;
            }
            if self.is_any_unread(unread_max) {
                return Lull::Unread;
            }
            // A request that began and ended since the last look is activity.
            if requests == seen && self.open().is_empty() {
                return Lull::Idle;
            }
            seen = requests;
        }
    }

    fn is_any_unread(&self, unread_max: Duration) -> bool {
        let Some(limit) = self.began.elapsed().checked_sub(unread_max) else {
            return false;
        };
        let limit = millis(limit);
        self.open().values().any(|handed| {
            let at = handed.0.load(Ordering::Acquire);
            at != 0 && at <= limit
        })
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Handed>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A request that is not answered to its end.
#[derive(Debug)]
pub(super) struct OpenRequest {
    activity: Arc<Activity>,
    number: u64,
    handed: Arc<Handed>,
}

impl OpenRequest {
    /// The body of its answer, which keeps it open.
    pub(super) const fn answered_with(self, body: Body) -> WatchedBody {
        WatchedBody {
            inner: body,
            request: self,
        }
    }

    fn note_handed(&self, is_handed: bool) {
        let at = if is_handed {
            millis(self.activity.began.elapsed()) + 1
        } else {
            0
        };
        self.handed.0.store(at, Ordering::Release);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.activity.open().remove(&self.number);
    }
}

/// A body that notes whether it waits for its client or for us. hyper asks for more when the client has taken what was
/// handed over.
#[derive(Debug)]
pub(super) struct WatchedBody {
    inner: Body,
    request: OpenRequest,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        self.request.note_handed(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);
    const UNREAD: Duration = Duration::from_mins(1);

    async fn handed(body: &mut WatchedBody) {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        assert!(frame.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_silent() {
        assert_eq!(Activity::new().lull(PATIENCE, UNREAD).await, Lull::Silent);
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_requests_are_over_is_idle_and_one_that_works_is_not() {
        let activity = Activity::new();
        let request = activity.begin();
        let waiting = tokio::time::timeout(PATIENCE * 10, activity.lull(PATIENCE, UNREAD));
        assert!(waiting.await.is_err());

        drop(request);

        assert_eq!(activity.lull(PATIENCE, UNREAD).await, Lull::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_is_unread_and_one_that_waits_for_us_is_not() {
        let activity = Activity::new();
        let endless = Body::from_stream(futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        }));
        let mut body = activity.begin().answered_with(endless);
        for _ in 0..10 {
            handed(&mut body).await;
            let waiting = tokio::time::timeout(UNREAD / 2, activity.lull(PATIENCE, UNREAD));
            assert!(waiting.await.is_err(), "the client took every part in time");
        }

        assert_eq!(activity.lull(PATIENCE, UNREAD).await, Lull::Unread);

        let pending = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let mut quiet = activity.begin().answered_with(pending);
        drop(body);
        std::future::poll_fn(|context| {
            assert!(Pin::new(&mut quiet).poll_frame(context).is_pending());
            Poll::Ready(())
        })
        .await;
        let waiting = tokio::time::timeout(UNREAD * 2, activity.lull(PATIENCE, UNREAD));
        assert!(waiting.await.is_err(), "we are who is waited for");
    }
}
