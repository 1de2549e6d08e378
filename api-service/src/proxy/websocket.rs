//! WebSockets: the handshake as it crosses the door, and what passes afterwards (RFC 6455 §4).
//!
//! The request is decided on once, like any other. What passes after the switch is not looked at, but counted, and ended when
//! it must.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};
use http_body::Body as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep, sleep_until};

use crate::gate::{CutOff, MustEnd, Passed};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The client's half of a switch, if the request asks for a WebSocket and can have one. By HTTP/1.1 alone: RFC 8441 is not
/// spoken.
pub(super) fn asked_for(parts: &mut Parts, body: &Body) -> Option<OnUpgrade> {
    let asks = parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && body.is_end_stream()
        && is_switch(&parts.headers);
    parts.extensions.remove::<OnUpgrade>().filter(|_| asks)
}

/// Whether the headers agree on a switch to a WebSocket and nothing else.
pub(super) fn is_switch(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let (protocol, further) = (protocols.next(), protocols.next());
    let is_websocket = protocol.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let connection = headers.get_all(CONNECTION).iter();
    let mut options = connection.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    is_websocket
        && further.is_none()
        && options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// Asks for the switch, or agrees to it, on a connection of the door's own.
pub(super) fn set_switch(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Passes bytes on in both directions until a side ends, both pause for too long, or it must end.
pub(super) async fn pass(
    (client, upstream): (OnUpgrade, OnUpgrade),
    idle: Duration,
    deadline: Instant,
    must_end: MustEnd,
) -> Passed {
    let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let exchange = async {
        let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else {
            return Some(CutOff::Broken("client_gone"));
        };
        let mut client = Counted::new(client, &sent);
        let mut upstream = Counted::new(upstream, &received);
        let passed = copy_bidirectional(&mut client, &mut upstream).await;
        passed.err().map(|_| CutOff::Broken("broken_off"))
    };
    let paused = async {
        let total = || sent.load(Ordering::Relaxed) + received.load(Ordering::Relaxed);
        let mut seen = total();
        loop {
            sleep(idle).await;
            let now = total();
            if now == seen {
                break;
            }
            seen = now;
        }
    };
    let cut = {
        let exchange = pin!(exchange);
        tokio::select! {
            cut = exchange => cut,
            cut = must_end => Some(cut),
            () = paused => Some(CutOff::Broken("idle")),
            () = sleep_until(deadline) => Some(CutOff::Broken("time_over")),
        }
    };
    Passed {
        request_bytes: sent.load(Ordering::Relaxed),
        response_bytes: received.load(Ordering::Relaxed),
        cut,
    }
}

/// One side of what passes. What is read from it is counted.
struct Counted {
    inner: TokioIo<Upgraded>,
    read: Arc<AtomicU64>,
}

impl Counted {
    fn new(inner: Upgraded, read: &Arc<AtomicU64>) -> Self {
        Self {
            inner: TokioIo::new(inner),
            read: Arc::clone(read),
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_to_a_websocket_and_nothing_else() {
        for (headers, expected) in [
            (&[("connection", "Upgrade"), ("upgrade", "WebSocket")][..], true),
            (
                &[("connection", "keep-alive, upgrade"), ("upgrade", "websocket")],
                true,
            ),
            (&[("connection", "keep-alive"), ("upgrade", "websocket")], false),
            (&[("connection", "upgrade"), ("upgrade", "h2c")], false),
            (&[("connection", "upgrade"), ("upgrade", "websocket, h2c")], false),
            (
                &[
                    ("connection", "upgrade"),
                    ("upgrade", "websocket"),
                    ("upgrade", "h2c"),
                ],
                false,
            ),
            (&[("connection", "upgrade")], false),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_switch(&map), expected, "{headers:?}");
        }
    }
}
