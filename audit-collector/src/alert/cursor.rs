//! Where a page of alerts ended. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::UtcMicros;

use crate::detection::engine::Fingerprint;

/// The last alert of a page: when it was raised, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) raised_at: UtcMicros,
    pub(super) fingerprint: Fingerprint,
}

impl Cursor {
    /// The cursor as text.
    pub(super) fn seal(self) -> String {
        let mut bytes = self.raised_at.as_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.fingerprint.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor.
    pub(super) fn open(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            raised_at: UtcMicros::from_micros(i64::from_be_bytes(*time)),
            fingerprint: Fingerprint(rest.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let cursor = Cursor {
            raised_at: UtcMicros::from_micros(7),
            fingerprint: Fingerprint([3; 16]),
        };

        assert_eq!(Cursor::open(&cursor.seal()), Some(cursor));
        for wrong in ["", "AAAA", "not base64!", &format!("{}AA", cursor.seal())] {
            assert_eq!(Cursor::open(wrong), None, "{wrong}");
        }
    }
}
