//! Where a page of alerts ended. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::UtcMicros;

use crate::detection::engine::Fingerprint;

/// In which order alerts are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// The last raised first.
    #[default]
    Time,
    /// The most severe first, and among equals the last raised.
    Severity,
}

/// The last alert of a page: its place among severities if that decides, when it was raised, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) rank: Option<u8>,
    pub(super) raised_at: UtcMicros,
    pub(super) fingerprint: Fingerprint,
}

impl Cursor {
    /// Where the first page begins.
    pub(super) const BEFORE_ALL: Self = Self {
        rank: Some(u8::MAX),
        raised_at: UtcMicros::from_micros(i64::MAX),
        fingerprint: Fingerprint([u8::MAX; 16]),
    };

    /// The cursor as text.
    pub(super) fn seal(self) -> String {
        let mut bytes = self.rank.map_or(Vec::new(), |rank| vec![rank]);
        bytes.extend_from_slice(&self.raised_at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&self.fingerprint.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of that order.
    pub(super) fn open(text: &str, order: Order) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (rank, rest) = match order {
            Order::Time => (None, bytes.as_slice()),
            Order::Severity => bytes.split_first().map(|(rank, rest)| (Some(*rank), rest))?,
        };
        let (time, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            rank,
            raised_at: UtcMicros::from_micros(i64::from_be_bytes(*time)),
            fingerprint: Fingerprint(rest.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_order_and_nothing_else_is_one() {
        for (order, other, rank) in [
            (Order::Time, Order::Severity, None),
            (Order::Severity, Order::Time, Some(4)),
        ] {
            let cursor = Cursor {
                rank,
                raised_at: UtcMicros::from_micros(7),
                fingerprint: Fingerprint([3; 16]),
            };

            assert_eq!(Cursor::open(&cursor.seal(), order), Some(cursor));
            assert_eq!(Cursor::open(&cursor.seal(), other), None);
            for wrong in ["", "AAAA", "not base64!", &format!("{}AA", cursor.seal())] {
                assert_eq!(Cursor::open(wrong, order), None, "{wrong}");
            }
        }
    }
}
