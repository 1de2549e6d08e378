//! Counts a request's body on its way through, and stops it at a bound.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// How much of a body has passed and how it ended. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BodyMeter {
    bytes_max: u64,
    shared: Arc<Readings>,
}

#[derive(Debug, Default)]
struct Readings {
    bytes: AtomicU64,
    is_exceeded: AtomicBool,
    is_broken: AtomicBool,
}

impl BodyMeter {
    /// A meter that lets `bytes_max` pass.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            shared: Arc::default(),
        }
    }

    /// Bytes that have passed.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// The bound.
    pub(crate) const fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Whether the body was stopped at the bound.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.shared.is_exceeded.load(Ordering::Relaxed)
    }

    /// Whether the body broke off before its end.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.is_broken.load(Ordering::Relaxed)
    }

    /// The body, metered.
    pub(crate) const fn measure(self, body: Body) -> MeteredBody {
        MeteredBody {
            inner: body,
            meter: self,
        }
    }
}

/// A body that its meter watches.
#[derive(Debug)]
pub(crate) struct MeteredBody {
    inner: Body,
    meter: BodyMeter,
}

impl HttpBody for MeteredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let readings = &self.meter.shared;
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let bytes = readings.bytes.fetch_add(length, Ordering::Relaxed) + length;
                if bytes > self.meter.bytes_max {
                    readings.is_exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(axum::Error::new(TooLarge))));
                }
            }
            Some(Err(_)) => readings.is_broken.store(true, Ordering::Relaxed),
            None => {}
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

#[derive(Debug, thiserror::Error)]
#[error("the body is larger than allowed")]
struct TooLarge;
