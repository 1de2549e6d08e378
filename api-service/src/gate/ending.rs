//! The body of an answer whose end is recorded.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::record::Written;

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
            Some(Err(_)) => self.end(Some("upstream_broken")),
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
