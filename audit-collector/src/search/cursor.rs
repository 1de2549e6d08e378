//! Where a page ended, as a text that only fits the filter it was made for. Pure.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::UtcMicros;
use uuid::Uuid;

use super::Filter;

/// Bytes of the seal: enough that no mistake passes. It guards against mistakes, not against forgery, which would gain
/// nothing: who may search may search everything.
const SEAL_BYTES: usize = 8;

const TIME_BYTES: usize = 8;
const ID_BYTES: usize = 16;

/// The last event of a page; the next page begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its time.
    pub time: UtcMicros,
    /// Its id.
    pub id: Uuid,
}

/// Not a cursor, or one of another filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is damaged or belongs to another filter")]
pub struct InvalidCursor;

impl Cursor {
    /// The cursor as text for searches with `filter`.
    pub fn seal(self, filter: &Filter) -> String {
        let mut bytes = Vec::with_capacity(TIME_BYTES + ID_BYTES + SEAL_BYTES);
        bytes.extend_from_slice(&self.time.as_micros().to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.seal_bytes(filter));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that was made for `filter`.
    pub fn open(text: &str, filter: &Filter) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (time, rest) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(InvalidCursor)?;
        let (id, seal) = rest.split_first_chunk::<ID_BYTES>().ok_or(InvalidCursor)?;
        let cursor = Self {
            time: UtcMicros::from_micros(i64::from_be_bytes(*time)),
            id: Uuid::from_bytes(*id),
        };
        if seal == cursor.seal_bytes(filter) {
            Ok(cursor)
        } else {
            Err(InvalidCursor)
        }
    }

    fn seal_bytes(self, filter: &Filter) -> [u8; SEAL_BYTES] {
        let mut context = Context::new(&SHA256);
        context.update(b"gatelog cursor 1");
        context.update(&self.time.as_micros().to_be_bytes());
        context.update(self.id.as_bytes());
        for (name, value) in filter.given() {
            for part in [name, value] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        let mut seal = [0; SEAL_BYTES];
        for (byte, hashed) in seal.iter_mut().zip(context.finish().as_ref()) {
            *byte = *hashed;
        }
        seal
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::Search;

    fn filter(query: &str) -> Filter {
        Search::parse(query, CURSOR.time).unwrap().filter
    }

    const CURSOR: Cursor = Cursor {
        time: UtcMicros::from_seconds(1_700_000_000),
        id: Uuid::from_u128(7),
    };

    #[test]
    fn a_cursor_fits_no_other_filter() {
        let sealed = CURSOR.seal(&filter("sub=alice"));

        assert_eq!(Cursor::open(&sealed, &filter("sub=alice")), Ok(CURSOR));
        for other in ["", "sub=bob", "jti=alice", "sub=alice&outcome=denied"] {
            assert_eq!(
                Cursor::open(&sealed, &filter(other)),
                Err(InvalidCursor),
                "{other}"
            );
        }
    }

    #[test]
    fn the_order_of_parameters_and_the_limit_do_not_matter() {
        let sealed = CURSOR.seal(&filter("sub=alice&jti=j&limit=3"));

        assert_eq!(
            Cursor::open(&sealed, &filter("jti=j&limit=9&sub=alice")),
            Ok(CURSOR)
        );
    }

    proptest! {
        #[test]
        fn every_cursor_is_read_back(micros: i64, id: u128) {
            let cursor = Cursor { time: UtcMicros::from_micros(micros), id: Uuid::from_u128(id) };

            prop_assert_eq!(Cursor::open(&cursor.seal(&filter("")), &filter("")), Ok(cursor));
        }

        #[test]
        fn a_changed_byte_is_noticed(index in 0..32_usize, change in 1..=255_u8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(CURSOR.seal(&filter(""))).unwrap();
            bytes[index] ^= change;

            prop_assert_eq!(Cursor::open(&URL_SAFE_NO_PAD.encode(bytes), &filter("")), Err(InvalidCursor));
        }

        #[test]
        fn no_text_is_too_strange(text in ".*") {
            prop_assert_eq!(Cursor::open(&text, &filter("")), Err(InvalidCursor));
        }
    }
}
