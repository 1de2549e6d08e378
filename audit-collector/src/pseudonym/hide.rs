//! An event with pseudonyms in place of what is to be hidden. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use shared::event::wire::{self, EncodeError};
use shared::event::{Detail, Event, Facts};

use super::Hidden;
use super::key::Key;
use crate::settings::SERVICE;

/// The member of `detail` that is the name of a user, wherever it stands.
const NAME_MEMBER: &str = "username";

/// The detail of an event that is too large with its pseudonyms.
const LEFT_OUT: &str = "left_out";

/// `event` with what is `hidden` replaced by pseudonyms, and what each of them stands for.
pub(super) fn hidden(
    event: &Event,
    hidden: &BTreeSet<Hidden>,
    key: &Key,
) -> (Event, BTreeMap<String, String>) {
    let mut disguised = event.clone();
    let mut hiding = Hiding {
        key,
        names: hidden.contains(&Hidden::Names),
        addresses: hidden.contains(&Hidden::Addresses),
        replaced: BTreeMap::new(),
    };
    hiding.facts(&mut disguised.facts);
    // What the collector says of others in its own events, it has read where they have pseudonyms already.
    if event.source.service != SERVICE {
        hiding.detail(&mut disguised.facts.detail);
    }
    (disguised, hiding.replaced)
}

/// The bytes of a disguised event. Pseudonyms may be longer than what they stand for: an event that is too large with them loses
/// its detail.
pub(super) fn encoded(event: &mut Event) -> Result<Vec<u8>, EncodeError> {
    let written = wire::encode(event);
    if matches!(written, Err(EncodeError::Oversized(_))) {
        event.facts.detail = Detail::from_iter([(LEFT_OUT.to_owned(), Value::Bool(true))]);
        return wire::encode(event);
    }
    written
}

struct Hiding<'k> {
    key: &'k Key,
    names: bool,
    addresses: bool,
    replaced: BTreeMap<String, String>,
}

impl Hiding<'_> {
    fn facts(&mut self, facts: &mut Facts) {
        if let Some(name) = &mut facts.actor.username {
            self.name(name);
        }
        if let Some(client) = &mut facts.client {
            for address in [&mut client.ip, &mut client.peer_ip].into_iter().flatten() {
                self.words(address);
            }
        }
    }

    fn detail(&mut self, detail: &mut Detail) {
        for (member, value) in detail {
            match value {
                Value::String(name) if member == NAME_MEMBER => self.name(name),
                value => self.value(value),
            }
        }
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.words(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(members) => self.detail(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn name(&mut self, name: &mut String) {
        if self.names && !name.is_empty() {
            let pseudonym = self.key.name(name);
            self.replace(name, pseudonym);
        }
    }

    /// Every word of a text that is an address or a network.
    fn words(&mut self, text: &mut String) {
        // No address is without one of these.
        if !self.addresses || !text.contains(['.', ':']) {
            return;
        }
        let words = text.split(' ').map(|word| match self.pseudonym(word) {
            Some(pseudonym) => {
                let mut word = word.to_owned();
                self.replace(&mut word, pseudonym);
                word
            }
            None => word.to_owned(),
        });
        let disguised: Vec<_> = words.collect();
        *text = disguised.join(" ");
    }

    fn pseudonym(&self, word: &str) -> Option<String> {
        if let Ok(address) = word.parse::<IpAddr>() {
            return Some(self.key.address(address).to_string());
        }
        let network = word.parse::<IpNet>().ok()?;
        Some(self.key.network(network).to_string())
    }

    fn replace(&mut self, text: &mut String, pseudonym: String) {
        let original = std::mem::replace(text, pseudonym.clone());
        self.replaced.insert(pseudonym, original);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::clock::UtcMicros;
    use shared::event::{Class, ClientFacts, Draft, Outcome, Source};
    use uuid::Uuid;

    use super::super::key::tests::key;
    use super::*;

    fn event(service: &str) -> Event {
        let mut facts = Facts::new(Class::Auth, "authn_login_fail", Outcome::Failure)
            .with_detail("last_network", "192.0.2.0/24")
            .with_detail("subject", "usr_1 192.0.2.7")
            .with_detail(
                "before",
                json!({ "username": "Alice", "roles": ["a"], "from": ["2001:db8::1"] }),
            )
            .with_detail("version", "1.2.3")
            .with_detail("count", 7);
        facts.actor.sub = Some("usr_1".into());
        facts.actor.username = Some("alice".into());
        facts.client = Some(ClientFacts {
            ip: Some("192.0.2.7".into()),
            peer_ip: Some("::ffff:10.0.0.1".into()),
            user_agent: Some("curl/8.5.0".into()),
        });
        let source = Source {
            service: service.into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        Draft::new(UtcMicros::from_seconds(1), facts).numbered(source, 1)
    }

    fn hidden_in(event: &Event, what: &[Hidden]) -> (Event, BTreeMap<String, String>) {
        hidden(event, &what.iter().copied().collect(), &key('a'))
    }

    #[test]
    fn nothing_of_a_name_or_an_address_is_left() {
        let event = event("auth-service");

        let (mut disguised, replaced) = hidden_in(&event, &Hidden::ALL);

        let text = String::from_utf8(encoded(&mut disguised).unwrap()).unwrap();
        for clear in ["alice", "Alice", "192.0.2", "10.0.0.1", "2001:db8"] {
            assert!(!text.contains(clear), "{clear} in {text}");
        }
        for kept in ["usr_1 ", "curl/8.5.0", "1.2.3", "\"count\":7", "/24"] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
        let client = disguised.facts.client.unwrap();
        assert_eq!(replaced[&client.ip.unwrap()], "192.0.2.7");
        assert_eq!(replaced[&client.peer_ip.unwrap()], "::ffff:10.0.0.1");
        assert_eq!(disguised.facts.actor.sub, event.facts.actor.sub);
    }

    #[test]
    fn what_is_not_to_be_hidden_stays() {
        let event = event("auth-service");

        let (names, _) = hidden_in(&event, &[Hidden::Names]);
        let (addresses, _) = hidden_in(&event, &[Hidden::Addresses]);

        assert_eq!(names.facts.client, event.facts.client);
        assert_ne!(names.facts.actor, event.facts.actor);
        assert_eq!(addresses.facts.actor, event.facts.actor);
        assert_ne!(addresses.facts.client, event.facts.client);
    }

    #[test]
    fn what_the_collector_says_of_others_has_its_pseudonyms_already() {
        let event = event(SERVICE);

        let (disguised, replaced) = hidden_in(&event, &Hidden::ALL);

        assert_eq!(disguised.facts.detail, event.facts.detail);
        assert_ne!(disguised.facts.actor, event.facts.actor);
        assert_eq!(replaced.len(), 3);
    }

    #[test]
    fn an_event_that_grows_beyond_what_one_may_have_loses_its_detail() {
        let mut large = event("auth-service");
        let names: Vec<Value> = (0..3_500).map(|_| json!({ "username": "a" })).collect();
        large.facts.detail = Detail::from_iter([("names".to_owned(), Value::Array(names))]);
        assert!(wire::encode(&large).is_ok());

        let (mut disguised, replaced) = hidden_in(&large, &Hidden::ALL);
        let written = encoded(&mut disguised).unwrap();

        assert_eq!(wire::decode(&written).unwrap(), disguised);
        assert_eq!(
            disguised.facts.detail,
            Detail::from_iter([(LEFT_OUT.to_owned(), true.into())])
        );
        assert!(replaced.values().any(|original| original == "a"));
    }
}
