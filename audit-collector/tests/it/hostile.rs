//! What strangers write into events is data, whatever it looks like.

use audit_collector::search::{Content, EventBody, Search};
use shared::event::Facts;
use url::form_urlencoded::Serializer;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event};
use crate::harness::hostile::{HOSTILE, facts_with};

on_both_databases!(
    hostile_texts_come_back_unchanged_and_are_found,
    the_longest_texts_are_stored_and_found,
);

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
