//! A connection that is read on when nothing more can be written to it.
//!
//! A server may answer before it has read the whole request, and close: 413 is such an answer. What the client writes meanwhile fails,
//! and hyper takes that for the end of the connection although the answer may lie there, to be read. So a failure to write is kept
//! from it: the reading decides, which finds an answer or the end.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// The connection.
#[derive(Debug)]
pub struct ReadingOn<C> {
    inner: C,
    /// Whether the other side takes nothing more.
    is_deaf: bool,
}

impl<C> ReadingOn<C> {
    pub(super) const fn new(inner: C) -> Self {
        Self {
            inner,
            is_deaf: false,
        }
    }

    /// Waits for ever instead of telling that the other side takes nothing more: the end is read, which wakes whoever waits.
    fn unless_deaf<T>(&mut self, write: impl FnOnce(&mut C) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.is_deaf {
            return Poll::Pending;
        }
        let written = ready!(write(&mut self.inner));
        self.is_deaf = matches!(&written, Err(error) if is_closed(error));
        if self.is_deaf {
            return Poll::Pending;
        }
        Poll::Ready(written)
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl<C: Read + Unpin> Read for ReadingOn<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<C: Write + Unpin> Write for ReadingOn<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.unless_deaf(|inner| Pin::new(inner).poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_deaf(|inner| Pin::new(inner).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unless_deaf(|inner| Pin::new(inner).poll_write_vectored(context, parts))
    }
}

impl<C: Connection> Connection for ReadingOn<C> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, Response, StatusCode};
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::{Frame, Incoming};
    use hyper::client::conn::http1::handshake;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge";

    /// A server that takes the head of a request, answers, and closes before the answer was looked for.
    struct Hasty {
        taken: Vec<u8>,
        said: &'static [u8],
    }

    impl Hasty {
        fn has_closed(&self) -> bool {
            self.taken.ends_with(b"\r\n\r\n")
        }
    }

    impl Read for Hasty {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.has_closed() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            buffer.put_slice(std::mem::take(&mut self.said));
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Hasty {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.has_closed() {
                return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
            }
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            let taken = end.map_or(bytes.len(), |at| at + 4);
            self.taken.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Sends a body in parts to a server that says `said` once it has the head.
    async fn answer(said: &'static [u8]) -> hyper::Result<Response<Incoming>> {
        let server = Hasty {
            taken: Vec::new(),
            said,
        };
        let (mut sender, connection) = handshake(ReadingOn::new(server)).await.unwrap();
        tokio::spawn(connection);
        let parts = (0..9).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"part"))));
        let body = StreamBody::new(futures_util::stream::iter(parts));
        let request = Request::post("/").header("host", "a").body(body).unwrap();
        sender.send_request(request).await
    }

    #[tokio::test]
    async fn an_answer_that_was_there_before_the_sending_failed_is_read() {
        let answer = answer(ANSWER).await.unwrap();

        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "large");
    }

    #[tokio::test]
    async fn a_server_that_closes_without_an_answer_has_given_none() {
        assert!(answer(b"").await.is_err());
        assert!(answer(&ANSWER[..20]).await.is_err());
    }
}
