//! The bytes of a connection: followed on their way in, and held together with the connection's place.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flaw::Flaw;
use super::place::Place;
use super::scan::{Found, Scanner};

/// What was found in the heads of a connection and not told with a request yet.
#[derive(Debug, Default)]
pub(super) struct Findings {
    good_heads: AtomicU64,
    flaw: OnceLock<Flaw>,
    /// Whether nothing that follows is HTTP/1.
    is_over: AtomicBool,
}

impl Findings {
    /// What is wrong with the head of the next request. A head that nobody saw is not trusted.
    pub(super) fn of_next_head(&self) -> Option<Flaw> {
        if self.is_over.load(Ordering::Acquire) {
            return None;
        }
        let taken = self
            .good_heads
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |heads| heads.checked_sub(1));
        match taken {
            Ok(_) => None,
            Err(_) => Some(self.flaw.get().copied().unwrap_or(Flaw::Unfollowed)),
        }
    }

    /// Nothing that follows is HTTP.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    fn note(&self, found: Found) {
        match found {
            Found::Head => {
                self.good_heads.fetch_add(1, Ordering::AcqRel);
            }
            // Only the first can be found.
            Found::Flawed(flaw) => drop(self.flaw.set(flaw)),
            Found::Http2 => self.end(),
        }
    }
}

/// A connection whose bytes are followed. Its place is free again when it is dropped, which may be long after its last
/// request: an upgraded connection lives on.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    scanner: Scanner,
    findings: Arc<Findings>,
    _place: Place,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, findings: Arc<Findings>, place: Place) -> Self {
        Self {
            inner,
            scanner: Scanner::default(),
            findings,
            _place: place,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let this = &mut *self;
        if !this.findings.is_over.load(Ordering::Acquire) {
            let read = buffer.filled().get(before..).unwrap_or_default();
            this.scanner.feed(read, |found| this.findings.note(found));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
