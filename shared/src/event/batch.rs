//! Several events in one message: CloudEvents' JSON batch format, an array of events as [`super::wire`] writes them.
//!
//! The bytes of each event are those that it has alone, so that hashes cover the same.

use bytes::Bytes;
use serde_json::value::RawValue;

/// The media type of several events (CloudEvents 1.0, JSON format §4).
pub const CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// Events in one message at most. Beyond some tens a message costs almost nothing any more per event.
pub const EVENTS_MAX: usize = 128;

/// Bytes of events in one message at most, so that a broker and its consumers can bound what they hold. Twice the largest
/// event.
pub const BYTES_MAX: usize = 2 * super::wire::BYTES_MAX;

/// Whether these bytes are JSON and nothing around it, so that in a batch they disturb no others and come out the same.
pub fn can_join(event: &[u8]) -> bool {
    let text = std::str::from_utf8(event).ok();
    let value = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    value.is_some_and(|value| value.get().len() == event.len())
}

/// Joins events to a batch, each of which [can be](can_join).
pub fn join<'e>(events: impl IntoIterator<Item = &'e [u8]>) -> Vec<u8> {
    let mut batch = vec![b'['];
    for event in events {
        if batch.len() > 1 {
            batch.push(b',');
        }
        batch.extend_from_slice(event);
    }
    batch.push(b']');
    batch
}

/// The bytes of each event of a batch, uncopied; `None` unless it is an array of 1 to [`EVENTS_MAX`] members and not much
/// larger than [`BYTES_MAX`]. What each member is, is for others to judge.
pub fn split(batch: &Bytes) -> Option<Vec<Bytes>> {
    // Beside the events there are a comma for each and two brackets.
    if batch.len() > BYTES_MAX + EVENTS_MAX + 1 {
        return None;
    }
    let members: Vec<&RawValue> = serde_json::from_slice(batch).ok()?;
    if !(1..=EVENTS_MAX).contains(&members.len()) {
        return None;
    }
    let bytes = |member: &RawValue| batch.slice_ref(member.get().as_bytes());
    Some(members.into_iter().map(bytes).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_batch_is_not_split() {
        let many = format!("[{}1]", "1,".repeat(EVENTS_MAX));
        let large = format!("[\"{}\"]", "x".repeat(BYTES_MAX + EVENTS_MAX));
        for text in [
            "", "[]", "{}", "[{}", "[{},]", "[{}] {}", "\u{fffd}", &many, &large,
        ] {
            assert_eq!(
                split(&Bytes::copy_from_slice(text.as_bytes())),
                None,
                "{text:.20}"
            );
        }
        assert_eq!(split(&Bytes::from_static(b"[\"\xff\"]")), None);
    }

    #[test]
    fn what_would_disturb_others_cannot_be_joined() {
        for (bytes, expected) in [
            (&b"{\"a\":1}"[..], true),
            (b"", false),
            (b" {}", false),
            (b"{},{}", false),
            (b"{\"a\":1", false),
            (b"\"\xff\"", false),
        ] {
            assert_eq!(can_join(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_poisoned_member_leaves_the_others_as_they_are() {
        let members = split(&Bytes::from_static(b"[{\"a\":1}, 7 ,{\"b\" : 2}]")).unwrap();

        assert_eq!(members, [&b"{\"a\":1}"[..], b"7", b"{\"b\" : 2}"]);
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_again_byte_for_byte(texts in prop::collection::vec(".{0,40}", 1..=EVENTS_MAX)) {
            let events: Vec<_> = texts.iter().map(|text| serde_json::to_vec(text).unwrap()).collect();

            let batch = Bytes::from(join(events.iter().map(Vec::as_slice)));

            prop_assert_eq!(split(&batch).unwrap(), events);
        }

        #[test]
        fn no_bytes_are_too_strange_to_split(bytes: Vec<u8>) {
            drop(split(&Bytes::from(bytes)));
        }
    }
}
