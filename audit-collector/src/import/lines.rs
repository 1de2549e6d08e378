//! The lines of a log: plain or gzip, of bounded length, each with its number.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::Flaw;

/// The longest line that is read, in bytes: as long as an event may be.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// What gzip begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What editors of Windows put before the first line in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The lines of an input.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    number: u64,
}

/// One line, or why it is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1 on.
    pub(super) number: u64,
    /// Its text without the end of the line. What is no UTF-8 is replaced. One that is too long is cut.
    pub(super) text: String,
    /// What is wrong with it as a line.
    pub(super) flaw: Option<Flaw>,
}

impl Lines {
    /// The lines of `input`, unpacked if it is gzip.
    pub(super) fn of(input: impl Read + Send + 'static) -> io::Result<Self> {
        let mut plain = BufReader::new(input);
        let is_gzip = plain.fill_buf()?.starts_with(&GZIP);
        let input: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::new(MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Self { input, number: 0 })
    }

    /// The number of the last line that was read, or 0.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line; none at the end. Empty lines are left out, and count.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            // With its end, which is of two bytes at most.
            let limit = LINE_BYTES_MAX as u64 + 2;
            let read = (&mut self.input).take(limit).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_cut = read as u64 == limit && !bytes.ends_with(b"\n");
            while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                bytes.pop();
            }
            if self.number == 1 && bytes.starts_with(&BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            let flaw = (is_cut || bytes.len() > LINE_BYTES_MAX).then_some(Flaw::TooLong);
            if is_cut {
                self.skip_line()?;
            }
            if !bytes.is_empty() {
                bytes.truncate(LINE_BYTES_MAX);
                return Ok(Some(Line {
                    number: self.number,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                    flaw,
                }));
            }
        }
    }

    /// Passes over the rest of a line without keeping it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (length, is_over) = (
                end.map_or(buffer.len(), |at| at + 1),
                end.is_some() || buffer.is_empty(),
            );
            self.input.consume(length);
            if is_over {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: Vec<u8>) -> Vec<(u64, String, bool)> {
        let mut lines = Lines::of(Cursor::new(bytes)).unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push((line.number, line.text, line.flaw.is_some()));
        }
        read
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        let expected = vec![(1, "a".to_owned(), false), (3, "b".to_owned(), false)];

        assert_eq!(read(b"a\r\n\nb".to_vec()), expected);
        assert_eq!(read(gzip(b"a\n\nb\n")), expected);
    }

    #[test]
    fn files_that_were_joined_are_unpacked_to_the_end() {
        let joined = [gzip(b"a\n"), gzip(b"b\n")].concat();

        assert_eq!(read(joined).len(), 2);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_one_is_read() {
        let lengths = (0..4)
            .map(|more| LINE_BYTES_MAX + more)
            .chain([5 * LINE_BYTES_MAX]);
        for (length, end) in lengths.flat_map(|length| ["\n", "\r\n"].map(|end| (length, end))) {
            let bytes = [vec![b'x'; length], end.into(), b"next\n".to_vec()].concat();

            let lines = read(bytes);

            assert_eq!(lines[1], (2, "next".to_owned(), false), "{length} {end:?}");
            assert_eq!(lines[0].2, length > LINE_BYTES_MAX, "{length} {end:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let lines = read(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n".to_vec());

        assert_eq!(
            lines,
            [(1, "a".to_owned(), false), (2, "\u{feff}b".to_owned(), false)]
        );
    }

    #[test]
    fn gzip_that_is_cut_off_is_an_error_and_not_an_end() {
        let mut packed = gzip(b"line\n".repeat(1000).as_slice());
        packed.truncate(packed.len() / 2);
        let mut lines = Lines::of(Cursor::new(packed)).unwrap();

        let error = loop {
            match lines.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was believed"),
                Err(error) => break error,
            }
        };

        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            if let Ok(mut lines) = Lines::of(Cursor::new(bytes)) {
                while let Ok(Some(line)) = lines.next() {
                    prop_assert!(!line.text.is_empty());
                }
            }
        }
    }
}
