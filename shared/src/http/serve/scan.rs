//! Follows the bytes of an HTTP/1 connection and finds the heads that hyper repairs where they should be refused.
//!
//! hyper drops a `Content-Length` beside a `Transfer-Encoding`, makes one of two equal lengths, and takes a bare line feed
//! for the end of a line. RFC 9112 allows all three, and each has been the first half of a smuggled request. hyper tells
//! nobody, so the bytes are looked at on their way to it. Nothing is changed: what is found is told with the request.

use super::flaw::Flaw;

/// The longest head that is followed, in bytes. hyper refuses longer ones by itself.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The longest line between two chunks that is followed, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 16 * 1024;

/// What HTTP/2 begins with (RFC 9113 §3.4). As a head of HTTP/1 it ends after the second line.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What the bytes so far have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// One more head without a flaw.
    Head,
    /// A head with a flaw. Nothing after it is followed.
    Flawed(Flaw),
    /// The connection speaks HTTP/2, which has no such flaws. Nothing after it is followed.
    Http2,
}

/// Where in the stream of requests a connection is.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    state: State,
    head: Head,
    /// The line that is not complete yet.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// What follows is not HTTP/1, or not to be understood.
    Lost,
}

/// What matters of the head that is not complete yet.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    is_begun: bool,
    has_bare_line_feed: bool,
    lengths: usize,
    length: Option<u64>,
    codings: usize,
}

impl Scanner {
    /// Takes the next bytes and tells what it found in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Found)) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Lost => return,
                State::Length(left) | State::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    let is_over = *left == 0;
                    bytes = bytes.get(taken..).unwrap_or_default();
                    if is_over {
                        self.state = match self.state {
                            State::Chunk(_) => State::ChunkEnd,
                            _ => State::Head,
                        };
                    }
                }
                State::Head | State::ChunkSize | State::ChunkEnd | State::Trailers => {
                    let end = memchr::memchr(b'\n', bytes);
                    let (now, later) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = later;
                    if end.is_some() && self.line.is_empty() {
                        self.take_line(now, &mut tell);
                        continue;
                    }
                    self.line.extend_from_slice(now);
                    if end.is_some() {
                        let line = std::mem::take(&mut self.line);
                        self.take_line(&line, &mut tell);
                    } else if self.line.len() > HEAD_BYTES_MAX {
                        self.state = State::Lost;
                    }
                }
            }
        }
    }

    fn take_line(&mut self, line: &[u8], tell: &mut impl FnMut(Found)) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let (text, is_bare) = match text.strip_suffix(b"\r") {
            Some(text) => (text, false),
            None => (text, true),
        };
        match self.state {
            State::Head => self.take_head_line(text, is_bare, line.len(), tell),
            State::ChunkSize => self.state = after_chunk_size(text),
            State::ChunkEnd if text.is_empty() => self.state = State::ChunkSize,
            State::Trailers if text.is_empty() => self.state = State::Head,
            State::Trailers => {}
            _ => self.state = State::Lost,
        }
    }

    fn take_head_line(&mut self, text: &[u8], is_bare: bool, length: usize, tell: &mut impl FnMut(Found)) {
        let head = &mut self.head;
        head.bytes += length;
        if head.bytes > HEAD_BYTES_MAX {
            self.state = State::Lost;
            return;
        }
        if !head.is_begun && text.is_empty() {
            // RFC 9112 §2.2: an empty line before a request is ignored.
            return;
        }
        if !head.is_begun && text == HTTP2_PREFACE {
            tell(Found::Http2);
            self.state = State::Lost;
            return;
        }
        head.has_bare_line_feed |= is_bare;
        if !text.is_empty() {
            if std::mem::replace(&mut head.is_begun, true) {
                head.note_field(text);
            }
            return;
        }
        let head = std::mem::take(&mut self.head);
        if let Some(flaw) = head.flaw() {
            tell(Found::Flawed(flaw));
            self.state = State::Lost;
        } else {
            tell(Found::Head);
            self.state = head.body();
        }
    }
}

impl Head {
    fn note_field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            self.length = std::str::from_utf8(value)
                .ok()
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
        }
    }

    const fn flaw(&self) -> Option<Flaw> {
        match (self.lengths, self.codings) {
            _ if self.has_bare_line_feed => Some(Flaw::BareLineFeed),
            (1.., 1..) => Some(Flaw::LengthAndCoding),
            (2.., _) => Some(Flaw::RepeatedLength),
            _ => None,
        }
    }

    /// What follows the head. A coding other than `chunked` is refused by whoever reads the headers.
    const fn body(&self) -> State {
        match (self.codings, self.lengths, self.length) {
            (1.., _, _) => State::ChunkSize,
            (_, 0, _) | (_, _, Some(0)) => State::Head,
            (_, _, Some(length)) => State::Length(length),
            (_, _, None) => State::Lost,
        }
    }
}

/// RFC 9112 §7.1. What is no size, hyper refuses.
fn after_chunk_size(line: &[u8]) -> State {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = line
        .get(..digits)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    match digits.map(|digits| u64::from_str_radix(digits, 16)) {
        _ if line.len() > CHUNK_LINE_BYTES_MAX => State::Lost,
        Some(Ok(0)) => State::Trailers,
        Some(Ok(size)) => State::Chunk(size),
        _ => State::Lost,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(stream: &[u8], piece: usize) -> Vec<Found> {
        let (mut scanner, mut all) = (Scanner::default(), Vec::new());
        for bytes in stream.chunks(piece) {
            scanner.feed(bytes, |found| all.push(found));
        }
        all
    }

    const CHUNKED: &str =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nTrailer: x\r\n\r\n";
    const SIZED: &str = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nGET / \r\n\r";
    const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn every_head_is_found_and_no_body_is_taken_for_one() {
        let stream = format!("\r\n{CHUNKED}{SIZED}{PLAIN}{PLAIN}");

        for piece in [1, 2, 7, 1000] {
            assert_eq!(found(stream.as_bytes(), piece), [Found::Head; 4], "{piece}");
        }
    }

    #[test]
    fn what_hyper_would_repair_is_told_and_nothing_after_it_is_followed() {
        for (head, flaw) in [
            (
                "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                Flaw::LengthAndCoding,
            ),
            (
                "Transfer-Encoding: chunked\r\ncontent-LENGTH: 3\r\n",
                Flaw::LengthAndCoding,
            ),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", Flaw::RepeatedLength),
            ("Host: a\nX: y\r\n", Flaw::BareLineFeed),
        ] {
            let stream = format!("{PLAIN}POST / HTTP/1.1\r\n{head}\r\n{PLAIN}");

            for piece in [1, 1000] {
                assert_eq!(
                    found(stream.as_bytes(), piece),
                    [Found::Head, Found::Flawed(flaw)],
                    "{head}"
                );
            }
        }
    }

    #[test]
    fn http2_is_left_alone() {
        let stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

        assert_eq!(found(stream, 1), [Found::Http2]);
    }

    #[test]
    fn a_chunk_of_no_size_ends_the_following() {
        for size in ["", "x", "-1", "fffffffffffffffff", " 1"] {
            let stream = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n{PLAIN}");

            assert_eq!(found(stream.as_bytes(), 1000), [Found::Head], "{size}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_cut_changes_what_is_found(
            stream in proptest::collection::vec(
                proptest::sample::select(vec![b'\r', b'\n', b':', b'0', b'a', b'P', b' ']), 0..200),
            piece in 1_usize..50,
        ) {
            prop_assert_eq!(found(&stream, piece), found(&stream, usize::MAX));
        }
    }
}
