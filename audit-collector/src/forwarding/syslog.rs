//! An event as a message of syslog (RFC 5424), framed by its length (RFC 6587 §3.4.1, RFC 5425 §4.3). Pure.

use shared::event::{Class, Outcome};

use crate::event_log::Positioned;
use crate::search::EventBody;

/// "Log audit" (RFC 5424 §6.2.1).
const FACILITY: u8 = 13;

/// The longest name of a host in a message, in bytes (RFC 5424 §6).
const HOST_BYTES_MAX: usize = 255;

/// The longest kind of a message, in bytes.
const MSGID_BYTES_MAX: usize = 32;

/// The number of the enterprise in the name of our structured data: the one that RFC 5612 has for documentation, since there is none
/// of our own.
const ENTERPRISE: u32 = 32_473;

/// The frame of an event.
pub(super) fn frame(one: &Positioned) -> Vec<u8> {
    let message = message(one);
    let mut frame = message.len().to_string().into_bytes();
    frame.push(b' ');
    frame.extend_from_slice(message.as_bytes());
    frame
}

fn message(one: &Positioned) -> String {
    let event = one.event.as_ref();
    let time = event.map_or(one.recorded_at, |event| event.time);
    let host = event.map_or("-", |event| &event.source.instance);
    let service = event.map_or("-", |event| &event.source.service);
    let action = event.map_or("unreadable", |event| &event.facts.action);
    let priority = FACILITY * 8 + event.map_or(4, |event| severity(event.facts.class, event.facts.outcome));
    // Texts and numbers alone cannot fail to be written.
    let body = serde_json::to_string(&EventBody::of(one)).unwrap_or_default();
    format!(
        "<{priority}>1 {time} {} {} - {} [gatelog@{ENTERPRISE} position=\"{}\"] \u{feff}{body}",
        plain(host, HOST_BYTES_MAX),
        plain(service, 48),
        plain(action, MSGID_BYTES_MAX),
        one.position,
    )
}

/// A severity of RFC 5424: alerts are critical, faults of ours errors, refusals notices, the rest informational.
const fn severity(class: Class, outcome: Outcome) -> u8 {
    match (class, outcome) {
        (Class::Alert, _) => 2,
        (_, Outcome::Error) => 3,
        (_, Outcome::Denied | Outcome::Failure) => 5,
        (_, Outcome::Granted | Outcome::Success) => 6,
    }
}

/// A text as the head of a message takes it: printable ASCII without blanks, not empty, not too long.
fn plain(text: &str, bytes_max: usize) -> String {
    let plain: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(bytes_max)
        .collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::clock::UtcMicros;
    use shared::event::{Draft, Facts, Source, wire};
    use uuid::Uuid;

    use super::*;
    use crate::enrichment::Locality;
    use crate::pseudonym::Unsealed;

    fn positioned(action: &str, outcome: Outcome) -> Positioned {
        let source = Source {
            service: "api-service".into(),
            instance: "door-1".into(),
            boot: Uuid::nil(),
        };
        let facts = Facts::new(Class::Access, action, outcome);
        let event = Draft::new(UtcMicros::from_seconds(1_768_435_200), facts).numbered(source, 1);
        Positioned {
            position: 7,
            recorded_at: event.time,
            time_suspect: false,
            locality: Locality::default(),
            body: wire::encode(&event).unwrap().into(),
            event: Some(event.into()),
            original: Unsealed::AsItIs,
        }
    }

    #[test]
    fn a_message_is_headed_as_the_standard_has_it() {
        let frame = String::from_utf8(frame(&positioned("api_request", Outcome::Denied))).unwrap();

        let (length, message) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        let head = "<109>1 2026-01-15T00:00:00.000000Z door-1 api-service - api_request [gatelog@32473 position=\"7\"] \u{feff}{";
        assert!(message.starts_with(head), "{message}");
        assert!(message.ends_with('}'));
    }

    proptest! {
        #[test]
        fn no_action_breaks_the_head(action in ".{0,80}") {
            let message = message(&positioned(&action, Outcome::Granted));

            let head: Vec<&str> = message.splitn(8, ' ').collect();
            prop_assert_eq!(head[6], "[gatelog@32473");
            prop_assert!(!head[5].is_empty() && head[5].len() <= MSGID_BYTES_MAX);
            // JSON escapes line ends.
            prop_assert!(!message.contains(['\n', '\r']));
        }
    }
}
