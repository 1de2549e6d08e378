//! Passwords known from breaches: a file of their SHA-1 hashes in order, as Have I Been Pwned offers it ("ordered by hash"):
//! `<40 hexadecimal digits>:<count>` in each line. It is searched on disk and never loaded.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Digits of a hash.
const DIGITS: usize = 40;

/// No line is longer, its end included.
const LINE_BYTES_MAX: usize = 64;

/// Steps within which every search ends: each halves what is left.
const STEPS_MAX: u32 = 64;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BreachedError {
    #[error("the file of breached passwords cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the file of breached passwords does not hold a SHA-1 hash in each line, in order")]
    Malformed,
}

/// The file, open. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Breached {
    file: Arc<File>,
    length: u64,
}

impl Breached {
    /// Opens the file and looks at its first line.
    pub(crate) fn open(path: &Path) -> Result<Self, BreachedError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let breached = Self {
            file: Arc::new(file),
            length,
        };
        breached.line_from(0)?.ok_or(BreachedError::Malformed)?;
        Ok(breached)
    }

    /// Whether the file has that password. Reads the disk some thirty times.
    pub(super) fn has(&self, password: &str) -> Result<bool, BreachedError> {
        let sought = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref());
        let (mut low, mut high) = (0, self.length);
        for _ in 0..STEPS_MAX {
            if low >= high {
                return Ok(false);
            }
            let middle = low + (high - low) / 2;
            let Some((begin, end, hash)) = self.line_after(middle)? else {
                high = middle;
                continue;
            };
            match hash.cmp(&sought) {
                Ordering::Equal => return Ok(true),
                Ordering::Less => low = end,
                Ordering::Greater if begin <= low => return Ok(false),
                Ordering::Greater => high = middle,
            }
        }
        Err(BreachedError::Malformed)
    }

    /// The first line that begins at `at` or after: where it begins, where the next begins, and its hash.
    fn line_after(&self, at: u64) -> Result<Option<(u64, u64, [u8; DIGITS])>, BreachedError> {
        let begin = if at == 0 {
            0
        } else {
            // Looked for from the byte before, so that a line that begins at `at` itself is found.
            let window = self.read(at - 1)?;
            match window.iter().position(|byte| *byte == b'\n') {
                Some(offset) => at + u64::try_from(offset).map_err(|_| BreachedError::Malformed)?,
                None if window.len() < LINE_BYTES_MAX => return Ok(None),
                None => return Err(BreachedError::Malformed),
            }
        };
        let line = self.line_from(begin)?;
        Ok(line.map(|(next, hash)| (begin, next, hash)))
    }

    /// The line that begins at `begin`: where the next begins, and its hash.
    fn line_from(&self, begin: u64) -> Result<Option<(u64, [u8; DIGITS])>, BreachedError> {
        let window = self.read(begin)?;
        if window.is_empty() {
            return Ok(None);
        }
        let ends = window.iter().position(|byte| *byte == b'\n');
        let length = ends.map_or(window.len(), |end| end + 1);
        let hash: [u8; DIGITS] = window
            .get(..DIGITS)
            .and_then(|digits| digits.to_ascii_uppercase().try_into().ok())
            .ok_or(BreachedError::Malformed)?;
        let follows = window.get(DIGITS).copied().unwrap_or(b'\n');
        if !hash.iter().all(u8::is_ascii_hexdigit) || !matches!(follows, b':' | b'\r' | b'\n') {
            return Err(BreachedError::Malformed);
        }
        let next = begin + u64::try_from(length).map_err(|_| BreachedError::Malformed)?;
        Ok(Some((next, hash)))
    }

    /// At most [`LINE_BYTES_MAX`] bytes from `at` on; fewer only at the end.
    fn read(&self, at: u64) -> Result<Vec<u8>, BreachedError> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(LINE_BYTES_MAX);
        let mut window = vec![0; left.min(LINE_BYTES_MAX)];
        self.file.read_exact_at(&mut window, at)?;
        Ok(window)
    }
}

fn hex(bytes: &[u8]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (digit, half) in digits.iter_mut().zip(halves) {
        *digit = if half < 10 { b'0' + half } else { b'A' + half - 10 };
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn breached(passwords: &[String], line_end: &str) -> Breached {
        let mut lines: Vec<_> = passwords
            .iter()
            .enumerate()
            .map(|(number, password)| {
                let hash = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref());
                let count = 10_u64.pow(u32::try_from(number % 8).unwrap());
                format!("{}:{count}", std::str::from_utf8(&hash).unwrap())
            })
            .collect();
        lines.sort_unstable();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.join(line_end).as_bytes()).unwrap();
        Breached::open(file.path()).unwrap()
    }

    #[test]
    fn every_password_of_the_file_is_found_and_no_other_whatever_the_length_of_the_file() {
        for line_end in ["\n", "\r\n"] {
            for count in [1, 2, 3, 10, 100, 1000] {
                let passwords: Vec<_> = (0..count).map(|number| format!("breached {number}")).collect();
                let breached = breached(&passwords, line_end);

                for password in &passwords {
                    assert!(breached.has(password).unwrap(), "{password} of {count}");
                }
                for number in 0..1000 {
                    assert!(!breached.has(&format!("other {number}")).unwrap());
                }
            }
        }
    }

    #[test]
    fn the_hash_is_that_of_have_i_been_pwned() {
        let password = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, b"password").as_ref());

        assert_eq!(&password, b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
    }

    #[test]
    fn a_file_of_another_form_and_a_missing_one_are_refused_when_they_are_opened() {
        for text in ["", "hunter2\n", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8x\n"] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert!(Breached::open(file.path()).is_err(), "{text}");
        }
        assert!(Breached::open(Path::new("/nowhere/at/all")).is_err());
    }
}
