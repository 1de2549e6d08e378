//! Dead letters as readers get them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use uuid::Uuid;

use super::wanted::Place;

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

impl KeptLetter {
    /// Where it stands among all.
    pub(super) const fn place(&self) -> Place {
        Place {
            received_at: self.received_at,
            id: self.id,
        }
    }

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

impl LetterBody {
    /// In one line, for people; who sent it is told by the broker, in whatever characters.
    pub(super) fn line(&self) -> String {
        let publisher = self.publisher.as_deref().unwrap_or("-").escape_debug();
        format!(
            "{} {} {}× {} {publisher} {} bytes",
            self.id, self.received_at, self.times, self.reason, self.bytes
        )
    }
}

impl LetterPage {
    /// The page that begins `letters`, of which there is one more if another page follows.
    pub(super) fn of(mut letters: Vec<KeptLetter>, limit: u16) -> Self {
        let has_more = letters.len() > usize::from(limit);
        letters.truncate(usize::from(limit));
        let last = letters.last().filter(|_| has_more).map(KeptLetter::place);
        Self {
            next_cursor: last.map(Place::seal),
            dead_letters: letters.into_iter().map(|letter| letter.told(false)).collect(),
        }
    }
}
