//! Events ⇄ messages. Events of one routing key share messages, since a message costs the broker as much whatever is in it
//! (decision 0084); each queue still gets what it is bound to. Pure.

use bytes::Bytes;

use crate::event::{batch, wire};
use crate::transport::Message;

/// A message to the broker.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed<'m> {
    pub(super) routing_key: &'m str,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

impl<'m> Packed<'m> {
    fn alone(event: &'m Message) -> Self {
        Self {
            routing_key: &event.routing_key,
            content_type: wire::CONTENT_TYPE,
            body: event.body.clone(),
        }
    }
}

/// Packs events in as few messages as their routing keys and the bounds of a batch admit. An event alone is its own message,
/// and so is what a disk has damaged. Those of one key keep their order.
pub(super) fn pack(events: &[Message]) -> Vec<Packed<'_>> {
    let mut packed = Vec::new();
    let mut open: Vec<Group<'_>> = Vec::new();
    for event in events {
        if !batch::can_join(&event.body) {
            packed.push(Packed::alone(event));
            continue;
        }
        let at = open
            .iter()
            .position(|group| group.routing_key == event.routing_key);
        let at = at.unwrap_or_else(|| {
            open.push(Group::of(&event.routing_key));
            open.len() - 1
        });
        let Some(group) = open.get_mut(at) else { continue };
        if !group.has_room_for(&event.body) {
            packed.push(std::mem::replace(group, Group::of(&event.routing_key)).close());
        }
        group.bodies.push(&event.body);
        group.bytes += event.body.len();
    }
    packed.extend(open.into_iter().map(Group::close));
    packed
}

/// The events in a message; what is no batch is one event, whatever it is.
pub(super) fn unpack(content_type: Option<&str>, body: Bytes) -> Vec<Bytes> {
    let members = match content_type {
        Some(batch::CONTENT_TYPE) => batch::split(&body),
        _ => None,
    };
    members.unwrap_or_else(|| vec![body])
}

/// Events of one routing key that may share a message.
struct Group<'m> {
    routing_key: &'m str,
    bodies: Vec<&'m Bytes>,
    bytes: usize,
}

impl<'m> Group<'m> {
    const fn of(routing_key: &'m str) -> Self {
        Self {
            routing_key,
            bodies: Vec::new(),
            bytes: 0,
        }
    }

    fn has_room_for(&self, body: &Bytes) -> bool {
        self.bodies.is_empty()
            || (self.bodies.len() < batch::EVENTS_MAX && self.bytes + body.len() <= batch::BYTES_MAX)
    }

    fn close(self) -> Packed<'m> {
        let (content_type, body) = match self.bodies.as_slice() {
            [alone] => (wire::CONTENT_TYPE, (*alone).clone()),
            several => {
                let joined = batch::join(several.iter().map(AsRef::as_ref));
                (batch::CONTENT_TYPE, joined.into())
            }
        };
        Packed {
            routing_key: self.routing_key,
            content_type,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(routing_key: &str, body: &str) -> Message {
        Message {
            routing_key: routing_key.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn shown(events: &[Message]) -> Vec<(String, &'static str, String)> {
        let packed = pack(events).into_iter();
        let text = |body: Bytes| String::from_utf8(body.to_vec()).unwrap();
        packed
            .map(|message| {
                (
                    message.routing_key.to_owned(),
                    message.content_type,
                    text(message.body),
                )
            })
            .collect()
    }

    #[test]
    fn events_of_one_key_share_a_message_in_their_order_and_one_alone_is_its_own() {
        let events = [event("a", "1"), event("b", "2"), event("a", "3"), event("a", "4")];

        let expected = [
            ("a".to_owned(), batch::CONTENT_TYPE, "[1,3,4]".to_owned()),
            ("b".to_owned(), wire::CONTENT_TYPE, "2".to_owned()),
        ];
        assert_eq!(shown(&events), expected);
    }

    #[test]
    fn a_message_holds_so_many_events_and_bytes() {
        let many: Vec<_> = (0..=batch::EVENTS_MAX).map(|_| event("a", "1")).collect();
        let large = format!("\"{}\"", "x".repeat(batch::BYTES_MAX / 2 - 2));
        let large = [event("a", &large), event("a", &large), event("a", "1")];

        for events in [&many[..], &large[..]] {
            let packed = pack(events);
            assert_eq!(packed.len(), 2);
            assert_eq!(packed[1].body, "1");
            let unpacked = packed
                .into_iter()
                .flat_map(|message| unpack(Some(message.content_type), message.body));
            assert!(unpacked.eq(events.iter().map(|event| event.body.clone())));
        }
    }

    #[test]
    fn what_a_disk_has_damaged_goes_alone() {
        let events = [event("a", "1"), event("a", "{\"torn"), event("a", "2")];

        let expected = [
            ("a".to_owned(), wire::CONTENT_TYPE, "{\"torn".to_owned()),
            ("a".to_owned(), batch::CONTENT_TYPE, "[1,2]".to_owned()),
        ];
        assert_eq!(shown(&events), expected);
    }

    #[test]
    fn what_only_claims_to_be_a_batch_is_one_event_for_others_to_judge() {
        for (content_type, body) in [
            (Some(batch::CONTENT_TYPE), "[broken"),
            (Some(batch::CONTENT_TYPE), "[]"),
            (Some(wire::CONTENT_TYPE), "[1,2]"),
            (None, "[1,2]"),
        ] {
            assert_eq!(unpack(content_type, body.into()), [body]);
        }
    }
}
