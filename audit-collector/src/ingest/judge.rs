//! Bytes that were delivered → an event, or a dead letter with its reason. Pure.

use std::sync::Arc;

use bytes::Bytes;
use shared::event::wire;

use crate::dead_letter::DeadLetter;
use crate::event_log::Arrival;

/// The reason of a dead letter whose sender is not whom it names as its source.
const PUBLISHER_MISMATCH: &str = "publisher_mismatch";

/// What a delivery turned out to be.
#[derive(Debug)]
pub enum Judged {
    /// An event to store.
    Event(Box<Arrival>),
    /// Something to keep apart.
    Dead(DeadLetter),
}

/// Judges a delivery that the transport says comes from `publisher`.
///
/// An event is believed only if its source is that very user: otherwise any service could speak for any other.
/// Wrong clocks are no reason to refuse.
pub fn judge(body: Bytes, publisher: Option<String>) -> Judged {
    let reason = match wire::decode(&body) {
        Ok(event) if publisher.as_ref() == Some(&event.source.service) => {
            return Judged::Event(Box::new(Arrival {
                event: Arc::new(event),
                body,
            }));
        }
        Ok(_) => PUBLISHER_MISMATCH,
        Err(error) => error.code(),
    };
    Judged::Dead(DeadLetter {
        reason,
        publisher,
        body,
    })
}

#[cfg(test)]
mod tests {
    use shared::clock::UtcMicros;
    use shared::event::{Class, Draft, Facts, Outcome, Source};

    use super::*;

    fn body_of(service: &str) -> Bytes {
        let source = Source {
            service: service.into(),
            instance: "one".into(),
            boot: uuid::Uuid::nil(),
        };
        let facts = Facts::new(Class::Access, "api_request", Outcome::Granted);
        let event = Draft::new(UtcMicros::from_seconds(1), facts).numbered(source, 1);
        wire::encode(&event).unwrap().into()
    }

    fn reason(body: Bytes, publisher: Option<&str>) -> Option<&'static str> {
        match judge(body, publisher.map(str::to_owned)) {
            Judged::Event(_) => None,
            Judged::Dead(letter) => Some(letter.reason),
        }
    }

    #[test]
    fn an_event_is_believed_only_from_its_own_source() {
        assert_eq!(reason(body_of("api-service"), Some("api-service")), None);
        for publisher in [Some("auth-service"), Some("API-SERVICE"), None] {
            assert_eq!(
                reason(body_of("api-service"), publisher),
                Some(PUBLISHER_MISMATCH),
                "{publisher:?}"
            );
        }
    }

    #[test]
    fn garbage_is_kept_with_its_reason() {
        for (garbage, expected) in [
            (Bytes::from_static(b""), "malformed"),
            (Bytes::from_static(b"\xff\xfe"), "malformed"),
            (Bytes::from(vec![b'['; 60_000]), "malformed"),
            (Bytes::from(vec![b'a'; wire::BYTES_MAX + 1]), "oversized"),
        ] {
            assert_eq!(reason(garbage, Some("api-service")), Some(expected));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange_to_judge(bytes: Vec<u8>, publisher: Option<String>) {
            let body = Bytes::from(bytes);
            if let Judged::Dead(letter) = judge(body.clone(), publisher.clone()) {
                proptest::prop_assert_eq!(letter.body, body);
                proptest::prop_assert_eq!(letter.publisher, publisher);
            }
        }
    }
}
