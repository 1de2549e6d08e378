//! What strangers write into events is data, whatever it looks like.

use audit_collector::search::{Content, EventBody, Search};
use shared::event::{Facts, Outcome};
use url::form_urlencoded::Serializer;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts};

on_both_databases!(
    hostile_texts_come_back_unchanged_and_are_found,
    the_longest_texts_are_stored_and_found,
);

const HOSTILE: [&str; 12] = [
    "'; DROP TABLE event; --",
    "\" OR 1=1 --",
    "$1 ? :name @x %s {0} ${jndi:ldap://x}",
    "line\r\n{\"level\":\"info\",\"message\":\"forged\"}",
    "\u{1b}[31mred\u{1b}[0m",
    "nul\0nul",
    "\u{202e}drawkcab\u{2066}",
    "\u{fffd}\u{feff}\u{fffe}",
    "𝕬\u{10ffff}é e\u{301}",
    "%27%00%0a",
    "\\x00 \\u0000 \\N E'\\''",
    "   ",
];

/// Facts with `text` in every text.
fn facts_with(text: &str) -> Facts {
    let mut facts = request_facts();
    let own = || Some(text.to_owned());
    facts.action = text.to_owned();
    facts.outcome = Outcome::Denied;
    facts.reason = own();
    facts.actor.sub = own();
    facts.actor.username = own();
    facts.actor.client_id = own();
    facts.actor.roles = vec![text.to_owned()];
    facts.actor.sid = own();
    facts.actor.jti = own();
    if let Some(client) = &mut facts.client {
        client.ip = own();
        client.user_agent = own();
    }
    if let Some(http) = &mut facts.http {
        http.method = text.to_owned();
        http.host = own();
        http.route = own();
        http.path = text.to_owned();
    }
    if let Some(policy) = &mut facts.policy {
        policy.route = own();
        policy.rule = own();
    }
    if let Some(trace) = &mut facts.trace {
        trace.request_id = text.to_owned();
    }
    facts.with_detail(text, text)
}

fn facts_of(body: &EventBody) -> &Facts {
    match &body.content {
        Content::Event(event) => &event.facts,
        Content::Unreadable { .. } => panic!("an event cannot be read back"),
    }
}

async fn hostile_texts_come_back_unchanged_and_are_found(database: &TestDatabase) {
    let log = database.log().await;
    let batch = HOSTILE.map(|text| arrival(event(at(1), facts_with(text))));
    log.append(&batch, &[], NOW).await.unwrap();

    for text in HOSTILE {
        for name in [
            "user",
            "sub",
            "sid",
            "jti",
            "route",
            "path",
            "action",
            "reason",
            "request_id",
        ] {
            let query = Serializer::new(String::new()).append_pair(name, text).finish();
            let page = log.search(&Search::parse(&query, NOW).unwrap()).await.unwrap();

            assert_eq!(page.events.len(), 1, "{name} = {text:?}");
            assert_eq!(facts_of(&page.events[0]), &facts_with(text));
        }
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 12);
}

async fn the_longest_texts_are_stored_and_found(database: &TestDatabase) {
    let log = database.log().await;
    // Incompressible, so that no database makes it fit into an index by packing it.
    let long: String = (0..1_000_u32)
        .map(|n| char::from_u32(0x4e00 + n.wrapping_mul(7919) % 0x5000).unwrap())
        .collect();
    let batch = [arrival(event(at(1), facts_with(&long)))];

    let appended = log.append(&batch, &[], NOW).await.unwrap();

    assert_eq!(appended.stored, 1);
    let page = log
        .search(&Search::parse("outcome=denied", NOW).unwrap())
        .await
        .unwrap();
    assert_eq!(facts_of(&page.events[0]), &facts_with(&long));
}
