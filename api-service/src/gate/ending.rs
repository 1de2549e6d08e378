//! The body of an answer whose end is recorded.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::record::Written;

/// Why an answer is broken off by the door, as the body's error. The event of its end carries the reason.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer was ended: {0}")]
pub(crate) struct CutOff(pub(crate) &'static str);

impl CutOff {
    /// The reason, if that is what `error` is about.
    pub(crate) fn reason(error: &axum::Error) -> Option<&'static str> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(Self(reason)) = error.downcast_ref() {
                return Some(reason);
            }
            cause = error.source();
        }
        None
    }
}

/// Is ready when an answer that takes its time must end, and tells why.
pub(crate) type MustEnd = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// Ends when nothing passes any more, and tells what has passed.
pub(crate) type Passing = Pin<Box<dyn Future<Output = Passed> + Send>>;

/// What passed after a switch to another protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// Bytes from the client.
    pub(crate) request_bytes: u64,
    /// Bytes to the client.
    pub(crate) response_bytes: u64,
    /// Why it ended, if not by itself.
    pub(crate) reason: Option<&'static str>,
}

/// Passes a body on, counts it, and tells its end once: complete, broken by the upstream, or left by the client.
#[derive(Debug)]
pub(super) struct RecordedBody {
    inner: Body,
    bytes: u64,
    written: Written,
}

impl RecordedBody {
    pub(super) const fn new(inner: Body, written: Written) -> Self {
        Self {
            inner,
            bytes: 0,
            written,
        }
    }

    fn end(&mut self, broken: Option<&'static str>) {
        self.written.end(self.bytes, broken);
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(error)) => self.end(Some(CutOff::reason(error).unwrap_or("upstream_broken"))),
            None => self.end(None),
        }
        if self.inner.is_end_stream() {
            self.end(None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        self.end(Some("client_gone"));
    }
}
