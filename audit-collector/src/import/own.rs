//! A line of our own: an event as it travels (CloudEvents) or as `GET /v1/events` and the export have it → its facts. Pure.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::clock::UtcMicros;
use shared::event::{Facts, Identity, Source, wire};
use uuid::Uuid;

use super::Flaw;

/// An event of another deployment, or of this one at another time.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// Its id there.
    pub id: Uuid,
    /// When it happened.
    pub time: UtcMicros,
    /// What it says, on no other word than that of the file.
    pub facts: Facts,
}

#[derive(Deserialize)]
struct Shown {
    id: Uuid,
    time: UtcMicros,
    source: Source,
    seq: u64,
    #[serde(flatten)]
    facts: Facts,
}

/// Whether a JSON object looks like one of these.
pub fn is_own(line: &Map<String, Value>) -> bool {
    line.contains_key("specversion") || (line.contains_key("class") && line.contains_key("action"))
}

/// Reads a line. Who did it there was verified there and is claimed here; where it stood is kept in its detail.
pub fn parse(line: &str) -> Result<Foreign, Flaw> {
    let (id, time, source, seq, facts) = if line.contains("\"specversion\"") {
        let event = wire::decode(line.as_bytes()).map_err(|error| Flaw::Event(error.to_string()))?;
        (event.id, event.time, event.source, event.seq, event.facts)
    } else {
        let shown: Shown = serde_json::from_str(line)
            .map_err(|_| Flaw::Part("not an event: a member is missing or of another form"))?;
        (shown.id, shown.time, shown.source, shown.seq, shown.facts)
    };
    Ok(Foreign {
        id,
        time,
        facts: claimed(facts, id, &source, seq),
    })
}

fn claimed(mut facts: Facts, id: Uuid, source: &Source, seq: u64) -> Facts {
    if facts.actor.identity == Identity::Verified {
        facts.actor.identity = Identity::Claimed;
    }
    facts.with_detail(
        "imported",
        json!({"id": id, "source": source.to_string(), "seq": seq}),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::event::{Class, Draft, Outcome, action};

    use super::*;

    fn event() -> shared::event::Event {
        let mut facts = Facts::new(Class::Auth, action::AUTHN_LOGIN_SUCCESS, Outcome::Success);
        facts.actor.identity = Identity::Verified;
        facts.actor.sub = Some("usr_1".into());
        let source = Source {
            service: "auth-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        Draft::new(UtcMicros::from_seconds(1_768_435_200), facts).numbered(source, 7)
    }

    #[test]
    fn both_spellings_are_one_event_whose_actor_is_claimed() {
        let event = event();
        let wire = String::from_utf8(wire::encode(&event).unwrap()).unwrap();
        let mut shown = serde_json::to_value(&event.facts).unwrap();
        for (name, value) in [
            ("id", json!(event.id)),
            ("time", json!(event.time)),
            ("recorded_at", json!(event.time)),
            ("source", json!(event.source)),
            ("seq", json!(7)),
        ] {
            shown[name] = value;
        }

        let foreign = parse(&wire).unwrap();

        assert_eq!(parse(&shown.to_string()).unwrap(), foreign);
        assert_eq!(foreign.facts.actor.identity, Identity::Claimed);
        assert_eq!(foreign.facts.detail["imported"]["seq"], 7);
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".*") {
            drop(parse(&line));
            drop(parse(&format!("{{\"specversion\":{line}}}")));
        }
    }
}
