//! Whether a write-ahead log was read to its end.
//!
//! SQLite reads a log up to the first frame that is not as it was written, and takes that for the end: right for a group that was
//! being written when the process died, and silent about groups that were complete. So what the log holds is counted here, by what
//! cannot be half written, and compared with what SQLite has read. The format: <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::store::{ReadError, Store, WRITE_AHEAD_LOG};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The first word of a log without its last bit, which is the byte order of its checksums.
const MAGIC: u32 = 0x377f_0682;

/// What a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// So many frames up to the end of the last complete transaction.
    Frames(u64),
    /// Something that is no log.
    Garbage,
}

impl Written {
    /// What the log in `folder` holds. To be asked before SQLite has opened it, which may change it.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        match File::open(folder.join(WRITE_AHEAD_LOG)) {
            Ok(mut log) => written(&mut log),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Frames(0)),
            Err(error) => Err(error),
        }
    }

    /// Whether SQLite sees all of it.
    pub(super) fn is_read_by(self, store: &Store) -> Result<bool, ReadError> {
        Ok(match self {
            Self::Frames(frames) => store.frames()? >= frames,
            Self::Garbage => false,
        })
    }
}

/// How many rounds back what is left in a log may be from: each round overwrites the former from the beginning.
const ROUNDS_MAX: u32 = 1 << 20;

/// Counts the frames of `log`, damaged ones included.
fn written(log: &mut (impl Read + Seek)) -> std::io::Result<Written> {
    let bytes = log.seek(SeekFrom::End(0))?;
    log.rewind()?;
    let mut header = [0; HEADER_BYTES];
    if !read_whole(log, &mut header)? {
        return Ok(Written::Frames(0));
    }
    if !is_intact(&header) {
        return Ok(Written::Garbage);
    }
    let frame_bytes = FRAME_HEADER_BYTES as u64 + u64::from(word(&header, 8));
    let whole_frames = (bytes - HEADER_BYTES as u64) / frame_bytes;
    let mut complete = 0;
    for frame in 0..whole_frames {
        log.seek(SeekFrom::Start(HEADER_BYTES as u64 + frame * frame_bytes))?;
        let mut head = [0; FRAME_HEADER_BYTES];
        if read_whole(log, &mut head)? && counts(&head, &header[16..24]) {
            complete = frame + 1;
        }
    }
    Ok(Written::Frames(complete))
}

/// Whether a frame ends a transaction of this round, or is nothing that SQLite has written.
fn counts(head: &[u8; FRAME_HEADER_BYTES], salts: &[u8]) -> bool {
    if head[8..16] == *salts {
        // The last frame of a transaction tells the size of the database.
        return word(head, 4) != 0;
    }
    let is_never_written = head.iter().all(|byte| *byte == 0);
    // Each round's first salt is the former's plus one.
    let rounds_ago = word(salts, 0).wrapping_sub(word(head, 8));
    !is_never_written && !(1..ROUNDS_MAX).contains(&rounds_ago)
}

/// Whether the header has the checksum that it tells.
fn is_intact(header: &[u8; HEADER_BYTES]) -> bool {
    let magic = word(header, 0);
    if magic & !1 != MAGIC {
        return false;
    }
    let read: fn([u8; 4]) -> u32 = if magic & 1 == 1 {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in header[..24].chunks_exact(8) {
        first = first.wrapping_add(read(four(pair, 0))).wrapping_add(second);
        second = second.wrapping_add(read(four(pair, 4))).wrapping_add(first);
    }
    (first, second) == (word(header, 24), word(header, 28))
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    std::array::from_fn(|offset| bytes.get(at + offset).copied().unwrap_or_default())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(four(bytes, at))
}

/// Whether there was as much as `buffer` takes.
fn read_whole(log: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use rusqlite::Connection;

    use super::*;

    /// A log as SQLite leaves it, after `groups` transactions.
    fn log(groups: u32) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE x (y);")
            .unwrap();
        for _ in 1..groups {
            connection
                .execute_batch("INSERT INTO x VALUES (randomblob(5000))")
                .unwrap();
        }
        std::fs::read(dir.path().join("x.db-wal")).unwrap()
    }

    fn frames(bytes: &[u8]) -> u64 {
        ((bytes.len() - HEADER_BYTES) / (FRAME_HEADER_BYTES + 4096)) as u64
    }

    fn count(bytes: &[u8]) -> Written {
        written(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn all_complete_transactions_are_counted() {
        let bytes = log(4);

        assert_eq!(count(&bytes), Written::Frames(frames(&bytes)));
    }

    #[test]
    fn a_transaction_that_is_cut_off_is_not() {
        let bytes = log(4);

        let cut = count(&bytes[..bytes.len() - 1]);

        assert_ne!(cut, Written::Frames(frames(&bytes)));
        assert_ne!(cut, Written::Garbage);
    }

    #[test]
    fn a_damaged_page_is_counted_all_the_same() {
        let mut bytes = log(4);
        bytes[HEADER_BYTES + FRAME_HEADER_BYTES + 100] ^= 1;

        assert_eq!(count(&bytes), Written::Frames(frames(&bytes)));
    }

    #[test]
    fn what_nobody_wrote_is_counted_and_what_is_left_of_a_former_round_is_not() {
        let bytes = log(4);
        let with_tail = |salt: u32| {
            let mut tail = vec![0xa5; FRAME_HEADER_BYTES + 4096];
            tail[8..12].copy_from_slice(&salt.to_be_bytes());
            count(&[bytes.as_slice(), &tail].concat())
        };
        let salt = word(&bytes, 16);

        assert_eq!(with_tail(salt.wrapping_sub(1)), Written::Frames(frames(&bytes)));
        assert_eq!(
            with_tail(salt.wrapping_add(9)),
            Written::Frames(frames(&bytes) + 1)
        );
    }

    #[test]
    fn a_damaged_header_is_garbage() {
        for at in [0, 8, 17, 30] {
            let mut bytes = log(2);
            bytes[at] ^= 1;

            assert_eq!(count(&bytes), Written::Garbage, "byte {at}");
        }
    }

    #[test]
    fn an_empty_log_holds_nothing() {
        assert_eq!(count(b""), Written::Frames(0));
    }
}
