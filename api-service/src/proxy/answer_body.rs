//! The body of an upstream's answer on its way to the client: bounded in time, and ended when it must.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::pause::Pause;
use super::pool::Turn;
use crate::gate::{CutOff, MustEnd};

/// The body.
pub(super) struct AnswerBody {
    inner: Body,
    pause: Pause,
    deadline: Instant,
    must_end: MustEnd,
    /// Open at its server until this is dropped.
    _turn: Turn,
}

impl AnswerBody {
    pub(super) const fn new(
        inner: Body,
        pause_max: Duration,
        deadline: Instant,
        must_end: MustEnd,
        turn: Turn,
    ) -> Self {
        Self {
            inner,
            pause: Pause::new(pause_max),
            deadline,
            must_end,
            _turn: turn,
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let cut = |cut| Poll::Ready(Some(Err(axum::Error::new(cut))));
        // First of all, or an answer that never pauses would never be ended.
        if let Poll::Ready(reason) = self.must_end.as_mut().poll(context) {
            return cut(reason);
        }
        let is_over = Instant::now() >= self.deadline;
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if is_over && !matches!(polled, Poll::Ready(None)) {
            return cut(CutOff::Broken("time_over"));
        }
        if polled.is_ready() {
            self.pause.end();
            return polled;
        }
        let deadline = self.deadline;
        match self.pause.poll_over(context, Some(deadline)) {
            Poll::Ready(()) if Instant::now() >= deadline => cut(CutOff::Broken("time_over")),
            Poll::Ready(()) => cut(CutOff::Broken("upstream_timeout")),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
