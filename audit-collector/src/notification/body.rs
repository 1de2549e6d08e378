//! Messages as readers get them, and what they ask for. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use shared::clock::UtcMicros;
use uuid::Uuid;

use crate::detection::engine::Fingerprint;
use crate::search::{InvalidParameter, Parameters};

/// Messages of a page at most, and usually.
const LIMIT_MAX: u16 = 500;
const LIMIT: u16 = 50;

/// What becomes of messages.
const STATES: [&str; 3] = ["pending", "delivered", "failed"];

/// One page of messages.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NotificationPage {
    /// The last made first.
    pub(super) notifications: Vec<NotificationBody>,
    /// What to give as `cursor` for the next page; null on the last.
    pub(super) next_cursor: Option<String>,
}

/// A message about an alert to a receiver.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NotificationBody {
    /// Also the id by which the receiver knows it.
    pub(super) id: Uuid,
    /// The alert's fingerprint.
    pub(super) alert: String,
    pub(super) receiver: String,
    /// `raised`, `withdrawn` or `restored`.
    pub(super) kind: String,
    /// `pending`, `delivered` or `failed`.
    pub(super) state: String,
    pub(super) made_at: UtcMicros,
    /// When it is tried next.
    pub(super) next_at: Option<UtcMicros>,
    /// Tries until now.
    pub(super) attempts: i64,
    pub(super) ended_at: Option<UtcMicros>,
    /// What the receiver answered last, of HTTP or SMTP.
    pub(super) status: Option<i64>,
    /// Why it did not arrive at the last try.
    pub(super) problem: Option<String>,
}

/// A message with the log of its delivery.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeliveryBody {
    #[serde(flatten)]
    pub(super) notification: NotificationBody,
    pub(super) log: Vec<AttemptBody>,
}

/// A try.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AttemptBody {
    pub(super) number: i64,
    pub(super) begun_at: UtcMicros,
    pub(super) took_us: i64,
    pub(super) status: Option<i64>,
    pub(super) problem: Option<String>,
}

/// Which messages are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) alert: Option<Fingerprint>,
    pub(super) receiver: Option<String>,
    pub(super) state: Option<&'static str>,
    /// The last message of the page before.
    pub(super) after: Option<Uuid>,
    pub(super) limit: u16,
}

impl Search {
    pub(super) fn parse(query: &str) -> Result<Self, InvalidParameter> {
        let mut parameters = Parameters::parse(query)?;
        let search = Self {
            alert: parameters.parsed("alert", Fingerprint::parse, "not 32 hexadecimal digits")?,
            receiver: parameters.take("receiver"),
            state: parameters.word("state", &STATES)?,
            after: parameters.parsed("cursor", open, "the cursor is damaged")?,
            limit: parameters.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT),
        };
        parameters.end()?;
        Ok(search)
    }
}

/// The cursor after a message.
pub(super) fn seal(last: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(last.as_bytes())
}

fn open(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_what_makes_no_sense_is_named() {
        let cursor = seal(Uuid::from_u128(7));
        let query = format!(
            "alert={}&receiver=desk&state=failed&limit=2&cursor={cursor}",
            "0a".repeat(16)
        );
        let expected = Search {
            alert: Some(Fingerprint([10; 16])),
            receiver: Some("desk".to_owned()),
            state: Some("failed"),
            after: Some(Uuid::from_u128(7)),
            limit: 2,
        };
        assert_eq!(Search::parse(&query).unwrap(), expected);
        for wrong in [
            "alert=x",
            "state=lost",
            "limit=0",
            "limit=501",
            "cursor=AAAA",
            "severity=high",
            "receiver=desk&receiver=siem",
            "state=failed&state=failed",
        ] {
            assert!(Search::parse(wrong).is_err(), "{wrong}");
        }
    }
}
