//! What a rule looks for as events have it that hide names or addresses. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use super::matcher::Match;
use crate::detection::field::{Field, Known};
use crate::pseudonym::Pseudonyms;

/// The pseudonyms of whole names, addresses and networks among `matches`. What looks for a part of a name has none: pseudonyms
/// have no parts.
pub(super) fn disguised(field: &Field, matches: &[Match], pseudonyms: &Pseudonyms) -> Vec<Match> {
    let of: fn(&Match, &Pseudonyms) -> Vec<Match> = match field {
        Field::Known(Known::Username | Known::User) => names,
        Field::Known(Known::Ip | Known::PeerIp | Known::Network) => networks,
        _ => return Vec::new(),
    };
    matches.iter().flat_map(|one| of(one, pseudonyms)).collect()
}

fn names(wanted: &Match, pseudonyms: &Pseudonyms) -> Vec<Match> {
    let Match::Text { text, .. } = wanted else {
        return Vec::new();
    };
    pseudonyms.of_name(text).map(exactly).collect()
}

fn networks(wanted: &Match, pseudonyms: &Pseudonyms) -> Vec<Match> {
    match wanted {
        Match::Network(network) => pseudonyms.of_network(*network).map(Match::Network).collect(),
        Match::Text { text, .. } => {
            if let Ok(address) = text.parse::<IpAddr>() {
                let disguised = pseudonyms.of_network(address.to_canonical().into());
                return disguised
                    .map(|network| exactly(network.addr().to_string()))
                    .collect();
            }
            let network: Option<IpNet> = text.parse().ok();
            let disguised = network
                .into_iter()
                .flat_map(|network| pseudonyms.of_network(network));
            disguised.map(|network| exactly(network.to_string())).collect()
        }
        _ => Vec::new(),
    }
}

const fn exactly(text: String) -> Match {
    Match::Text { text, cased: true }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use shared::event::{Event, wire};

    use super::*;
    use crate::detection::field::Seen;
    use crate::detection::rule::Lists;
    use crate::detection::rule::matcher::Matcher;
    use crate::pseudonym::{self, Hidden};

    fn pseudonyms() -> Arc<Pseudonyms> {
        Arc::new(pseudonym::tests::pseudonyms(
            &[Hidden::Names, Hidden::Addresses],
            "a",
        ))
    }

    fn disguised_event() -> Event {
        let event = pseudonym::tests::event();
        let body = wire::encode(&event).unwrap();
        pseudonyms().disguise(&event, &body).unwrap().unwrap().event
    }

    fn matches(key: &str, values: &Value, lists: &Lists) -> bool {
        let event = disguised_event();
        let seen = Seen {
            event: &event,
            at: event.time,
            place: None,
        };
        Matcher::compile(key, values, lists).unwrap().matches(&seen)
    }

    #[test]
    fn whole_names_and_addresses_are_found_behind_their_pseudonyms_and_parts_are_not() {
        let lists = Lists::of([("people", vec!["bob", "ALICE"])]).disguised(Some(pseudonyms()));
        for (key, values, expected) in [
            ("actor.username", json!("alice"), true),
            ("actor.username|expand", json!("%people%"), true),
            ("actor.username", json!("bob"), false),
            ("actor.username|startswith", json!("al"), false),
            ("client.ip", json!("192.0.2.7"), true),
            ("client.ip", json!("192.0.2.8"), false),
            ("client.ip|cidr", json!("192.0.2.0/24"), true),
            ("client.ip|cidr", json!("192.0.3.0/24"), false),
            ("client.network", json!("192.0.2.0/24"), true),
            ("action", json!("authn_login_fail"), true),
        ] {
            assert_eq!(matches(key, &values, &lists), expected, "{key} {values}");
        }
        assert!(!matches("actor.username", &json!("alice"), &Lists::default()));
    }
}
