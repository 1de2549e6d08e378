//! A request's body on its way to an upstream: it must not pause for too long, and brings no trailers.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::pause::Pause;

/// How far a request's body has come. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    last: Mutex<Instant>,
    is_late: AtomicBool,
}

impl Progress {
    /// A body of which nothing has come yet.
    pub(super) fn begin() -> Self {
        Self(Arc::new(Shared {
            last: Mutex::new(Instant::now()),
            is_late: AtomicBool::new(false),
        }))
    }

    /// When the last part came.
    pub(super) fn last(&self) -> Instant {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the body paused for too long.
    pub(super) fn is_late(&self) -> bool {
        self.0.is_late.load(Ordering::Relaxed)
    }

    fn note(&self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The body.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Body,
    pause: Pause,
    progress: Progress,
}

impl RequestBody {
    pub(super) const fn new(inner: Body, pause_max: Duration, progress: Progress) -> Self {
        Self {
            inner,
            pause: Pause::new(pause_max),
            progress,
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(frame) = polled {
            self.pause.end();
            self.progress.note();
            // Headers by another way: none of them is known to be harmless, and hardly any upstream reads them.
            return Poll::Ready(
                frame.filter(|frame| frame.as_ref().is_ok_and(Frame::is_data) || frame.is_err()),
            );
        }
        ready!(self.pause.poll_over(context, None));
        self.progress.0.is_late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(Late))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the body paused for too long")]
struct Late;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    #[tokio::test]
    async fn trailers_are_left_behind() {
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-user"),
            HeaderValue::from_static("evil"),
        )]);
        let frames = [
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"a"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));

        let collected = RequestBody::new(body, Duration::from_secs(1), Progress::begin())
            .collect()
            .await
            .unwrap();

        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_pauses_for_too_long_breaks_off_as_late() {
        let progress = Progress::begin();
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let body = RequestBody::new(body, Duration::from_secs(30), progress.clone());

        assert!(body.collect().await.is_err());
        assert!(progress.is_late());
        assert!(progress.last().elapsed() >= Duration::from_secs(30));
    }
}
