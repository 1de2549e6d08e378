//! Dead letters as readers get them, and which of them they ask for. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use uuid::Uuid;

use crate::search::{InvalidParameter, Parameters, Period};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;

/// A dead letter as it is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptLetter {
    pub(super) id: Uuid,
    pub(super) received_at: UtcMicros,
    pub(super) last_received_at: UtcMicros,
    pub(super) times: i32,
    pub(super) reason: String,
    pub(super) publisher: Option<String>,
    /// The size of all of it.
    pub(super) bytes: i32,
    /// What is kept of it.
    pub(super) body: Vec<u8>,
}

/// What is told of a dead letter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LetterBody {
    id: Uuid,
    received_at: UtcMicros,
    last_received_at: UtcMicros,
    times: i32,
    reason: String,
    publisher: Option<String>,
    bytes: i32,
    /// Whether all of it is kept, so that it can be replayed.
    is_whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Content>,
}

/// Bytes, as text if they are text.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Text(String),
    Base64(String),
}

/// One page of dead letters.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LetterPage {
    pub(super) dead_letters: Vec<LetterBody>,
    pub(super) next_cursor: Option<String>,
}

/// Which dead letters are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) period: Period,
    pub(super) reason: Option<String>,
    pub(super) limit: u16,
    pub(super) after: Option<Place>,
}

/// The last letter of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) received_at: UtcMicros,
    pub(super) id: Uuid,
}

impl KeptLetter {
    /// Whether all of it is kept.
    pub(super) fn is_whole(&self) -> bool {
        usize::try_from(self.bytes).is_ok_and(|bytes| bytes == self.body.len())
    }

    /// What is told of it; its bytes are shown and never interpreted.
    pub(super) fn told(self, with_body: bool) -> LetterBody {
        let is_whole = self.is_whole();
        let content = |bytes: Vec<u8>| match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Base64(STANDARD.encode(error.as_bytes())),
        };
        LetterBody {
            id: self.id,
            received_at: self.received_at,
            last_received_at: self.last_received_at,
            times: self.times,
            reason: self.reason,
            publisher: self.publisher,
            bytes: self.bytes,
            is_whole,
            body: with_body.then(|| content(self.body)),
        }
    }

    /// What it was, for the record of its removal.
    pub(super) fn before(&self) -> Value {
        json!({
            "dead_letter": self.id,
            "reason": self.reason,
            "publisher": self.publisher,
            "bytes": self.bytes,
            "times": self.times,
        })
    }
}

impl LetterPage {
    /// The page that begins `letters`, of which there is one more if another page follows.
    pub(super) fn of(mut letters: Vec<KeptLetter>, limit: u16) -> Self {
        let has_more = letters.len() > usize::from(limit);
        letters.truncate(usize::from(limit));
        let last = letters.last().filter(|_| has_more).map(|letter| Place {
            received_at: letter.received_at,
            id: letter.id,
        });
        Self {
            next_cursor: last.map(Place::seal),
            dead_letters: letters.into_iter().map(|letter| letter.told(false)).collect(),
        }
    }
}

impl Wanted {
    /// Reads the query string of `GET /v1/dead-letters`.
    pub(super) fn parse(query: &str) -> Result<Self, InvalidParameter> {
        let mut parameters = Parameters::parse(query)?;
        let limit = parameters
            .number("limit", 1..=LIMIT_MAX)?
            .unwrap_or(LIMIT_DEFAULT);
        let after = parameters.take("cursor").map(|text| {
            Place::open(&text).ok_or_else(|| InvalidParameter::new("cursor", "the cursor is damaged"))
        });
        let reason = parameters
            .take("reason")
            .map(|text| text.replace('\0', "\u{fffd}"));
        Ok(Self {
            after: after.transpose()?,
            reason,
            limit,
            period: Period::of(parameters)?,
        })
    }
}

impl Place {
    fn seal(self) -> String {
        let mut bytes = self.received_at.as_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (micros, id) = bytes.split_first_chunk()?;
        Some(Self {
            received_at: UtcMicros::from_micros(i64::from_be_bytes(*micros)),
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_back_and_no_text_is_too_strange(micros: i64, id: u128, text in ".*") {
            let place = Place { received_at: UtcMicros::from_micros(micros), id: Uuid::from_u128(id) };

            prop_assert_eq!(Place::open(&place.seal()), Some(place));
            prop_assert!(Place::open(&text).is_none_or(|place| place.seal().len() == 32));
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, name) in [
            ("cursor=x", "cursor"),
            ("limit=0", "limit"),
            ("why=x", "why"),
            ("from=now", "from"),
        ] {
            assert_eq!(Wanted::parse(query).unwrap_err().name, name);
        }
    }
}
