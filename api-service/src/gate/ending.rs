//! The body of an answer whose end is recorded.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use shared::token::Objection;

use super::record::Written;

/// Why an answer did not end by itself; as the body's error if the door broke it off. The event of its end carries the reason.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CutOff {
    /// Its time was over, or a side failed or went.
    #[error("the answer was ended: {0}")]
    Broken(&'static str),
    /// The caller's token is not good any more.
    #[error("the answer was ended: {}", .0.refusal)]
    Withdrawn(Objection),
}

impl CutOff {
    /// The reason, if that is what `error` is about.
    pub(crate) fn of(error: &axum::Error) -> Option<Self> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(cut) = error.downcast_ref::<Self>() {
                return Some(cut.clone());
            }
            cause = error.source();
        }
        None
    }
}

/// Is ready when an answer that takes its time must end, and tells why.
pub(crate) type MustEnd = Pin<Box<dyn Future<Output = CutOff> + Send>>;

/// Ends when nothing passes any more, and tells what has passed.
pub(crate) type Passing = Pin<Box<dyn Future<Output = Passed> + Send>>;

/// What passed after a switch to another protocol.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// Bytes from the client.
    pub(crate) request_bytes: u64,
    /// Bytes to the client.
    pub(crate) response_bytes: u64,
    /// Why it ended, if not by itself.
    pub(crate) cut: Option<CutOff>,
}

/// Passes a body on, counts it, and tells its end once: complete, broken off, or left by the client.
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

    fn end(&mut self, cut: Option<CutOff>) {
        self.written.end(self.bytes, cut);
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
            Some(Err(error)) => {
                let cut = CutOff::of(error).unwrap_or(CutOff::Broken("upstream_broken"));
                self.end(Some(cut));
            }
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
        self.end(Some(CutOff::Broken("client_gone")));
    }
}
