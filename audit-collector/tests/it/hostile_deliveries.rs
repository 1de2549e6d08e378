//! Bad input straight on the queue: kept apart or stored as harmless data, and what follows still arrives.

use std::io::Write;
use std::sync::{Arc, Mutex};

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use shared::event::{batch, wire};
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::broker::TestBroker;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, body, event, event_of, request_facts};
use crate::harness::hostile::{HOSTILE, facts_with};
use crate::harness::intake::{Intake, channel_of, until_count, until_left_on};

on_both_databases!(
    garbage_becomes_dead_letters,
    events_of_other_forms_become_dead_letters,
    a_batch_costs_only_its_poisoned_members,
    what_only_claims_to_be_a_batch_is_one_dead_letter,
    clocks_far_off_are_stored_and_marked,
    no_service_speaks_for_another_one,
    injections_are_stored_as_data,
);

/// A sign that an event came through after whatever came before.
async fn a_later_event_arrives(broker: &TestBroker, database: &TestDatabase) {
    let mut facts = request_facts();
    facts.actor.sub = Some("usr_later".to_owned());
    broker.publish("api-service", &[event(at(1), facts)]).await;
    until_count(database, "event WHERE sub = 'usr_later'", 1).await;
    until_left_on(broker, &broker.topology().collector_queue(), 0).await;
}

async fn reasons(database: &TestDatabase) -> Vec<(String, i64)> {
    database
        .rows("SELECT reason, COUNT(*) FROM dead_letter GROUP BY reason ORDER BY reason")
        .await
}

fn counted(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = expected
        .iter()
        .map(|(reason, count)| ((*reason).to_owned(), *count));
    owned.collect()
}

async fn garbage_becomes_dead_letters(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let deep = [b"[".repeat(30_000), b"]".repeat(30_000)].concat();
    let garbage = vec![
        Vec::new(),
        b"\x00\xff garbage".to_vec(),
        b"null".to_vec(),
        b"{}".to_vec(),
        deep,
        vec![b'x'; 1_000_000],
    ];

    broker.publish_bodies("api-service", garbage).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    assert_eq!(
        reasons(database).await,
        counted(&[("malformed", 5), ("oversized", 1)])
    );
    let kept = "SELECT CAST(MAX(body_bytes) - MAX(LENGTH(body)) AS BIGINT) FROM dead_letter";
    assert_eq!(database.number(kept).await, 1_000_000 - 64 * 1024);
}

async fn events_of_other_forms_become_dead_letters(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let good = String::from_utf8(body(&event(NOW, request_facts())).to_vec()).unwrap();
    let huge = format!("\"sequence\":\"{}\"", u64::MAX);
    let changes = [
        (".access.v1", ".access.v9"),
        ("\"specversion\":\"1.0\"", "\"specversion\":\"2.0\""),
        ("gatelog.access", "gatelog.admin"),
        ("2026-01-15T", "2026-13-45T"),
        ("2026-01-15T", "yesterday, "),
        ("\"sequence\":\"1\"", "\"sequence\":\"-1\""),
        ("\"sequence\":\"1\"", "\"sequence\":1"),
        ("\"sequence\":\"1\"", &huge),
        ("\"source\":\"/api-service/", "\"source\":\"/api-service/../"),
        ("\"id\":\"0", "\"id\":\"x"),
        ("\"status\":200", "\"status\":-200"),
    ];
    let changed: Vec<_> = changes
        .iter()
        .map(|(from, to)| {
            let changed = good.replacen(from, to, 1);
            assert_ne!(changed, good, "{from}");
            changed.into_bytes()
        })
        .collect();

    broker.publish_bodies("api-service", changed).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    let expected = counted(&[
        ("class_mismatch", 1),
        ("malformed", 5),
        ("malformed_sequence", 2),
        ("malformed_source", 1),
        ("unknown_version", 2),
    ]);
    assert_eq!(reasons(database).await, expected);
}

async fn a_batch_costs_only_its_poisoned_members(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let good = [event(NOW, request_facts()), event(at(1), request_facts())].map(|event| body(&event));
    let members: [&[u8]; 4] = [
        &good[0],
        b"{\"source\": 7}",
        b"\"'; DROP TABLE event; --\"",
        &good[1],
    ];

    publish_raw(&broker, batch::CONTENT_TYPE, &batch::join(members)).await;
    until_count(database, "dead_letter", 2).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 3);
}

async fn what_only_claims_to_be_a_batch_is_one_dead_letter(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let many = format!("[{}0]", "0,".repeat(batch::EVENTS_MAX));

    for (content_type, body) in [
        (batch::CONTENT_TYPE, "[{\"a\": 1}, {\"a\""),
        (batch::CONTENT_TYPE, &*many),
        (batch::CONTENT_TYPE, "[]"),
        ("text/html\r\nx: y", "<script>alert(1)</script>"),
    ] {
        publish_raw(&broker, content_type, body.as_bytes()).await;
    }
    until_count(database, "dead_letter", 4).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    assert_eq!(reasons(database).await, counted(&[("malformed", 4)]));
}

async fn clocks_far_off_are_stored_and_marked(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let times = ["1970-01-01T", "0001-01-01T", "2199-12-31T", "9999-12-01T"];
    let skewed = times.iter().map(|time| {
        let own = String::from_utf8(body(&event(NOW, request_facts())).to_vec()).unwrap();
        assert!(own.contains("2026-01-15T"));
        own.replacen("2026-01-15T", time, 1).into_bytes()
    });

    broker.publish_bodies("api-service", skewed.collect()).await;
    until_count(database, "event", 4).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    let suspect = "SELECT COUNT(*) FROM event WHERE time_suspect = TRUE AND sub = 'usr_alice'";
    assert_eq!(database.number(suspect).await, 4);
    assert_eq!(reasons(database).await, []);
}

async fn no_service_speaks_for_another_one(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let of_auth = event_of("auth-service", NOW, request_facts());

    broker
        .publish("api-service", std::slice::from_ref(&of_auth))
        .await;
    until_count(database, "dead_letter", 1).await;
    publish_raw_as(&broker, "auth-service", (wire::CONTENT_TYPE, &body(&of_auth))).await;
    until_count(database, "dead_letter", 2).await;
    broker.publish("auth-service", &[of_auth]).await;
    until_count(database, "event", 1).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    let letters: Vec<(String, Option<String>)> = database
        .rows("SELECT reason, publisher FROM dead_letter ORDER BY received_at")
        .await;
    let mismatch = "publisher_mismatch".to_owned();
    assert_eq!(
        letters,
        [(mismatch.clone(), Some("api-service".into())), (mismatch, None)]
    );
}

async fn injections_are_stored_as_data(database: &TestDatabase) {
    let Some(broker) = TestBroker::new() else { return };
    let intake = Intake::start(&broker, &database.log().await).await;
    let events = HOSTILE.map(|text| event(at(1), facts_with(text)));
    let bodies = events.each_ref().map(|event| body(event).to_vec());
    // Refused, with hostile texts where they hurt most.
    let refused = HOSTILE.map(|text| serde_json::to_vec(&[text]).unwrap());

    broker.publish_bodies("api-service", bodies.to_vec()).await;
    broker.publish_bodies("api-service", refused.to_vec()).await;
    until_count(database, "event", 12).await;
    until_count(database, "dead_letter", 12).await;
    a_later_event_arrives(&broker, database).await;
    intake.end().await;

    let stored: Vec<(Vec<u8>,)> = database
        .rows("SELECT body FROM event WHERE outcome = 'denied'")
        .await;
    for body in bodies {
        assert!(stored.contains(&(body,)), "every byte is as it came");
    }
}

/// Lines that are logged.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// On one thread, so that all of it logs to this test.
#[tokio::test]
async fn what_strangers_send_is_in_no_line_of_the_log() {
    let Some(broker) = TestBroker::new() else { return };
    let lines = Lines::default();
    let logging = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone());
    let _logging = tracing::subscriber::set_default(logging.finish());
    let database = TestDatabase::sqlite();
    let intake = Intake::start(&broker, &database.log().await).await;
    let mark = "\n{\"level\":\"ERROR\",\"message\":\"forged-by-a-stranger\"}\u{1b}[2J";
    let garbage = format!("forged-by-a-stranger{mark}").into_bytes();
    let clashing = event(at(1), facts_with(mark));
    let mut clash = clashing.clone();
    clash.facts.reason = Some("another".to_owned());
    let bodies = [garbage, body(&clashing).to_vec(), body(&clash).to_vec()];

    broker.publish_bodies("api-service", bodies.to_vec()).await;
    publish_raw(&broker, "forged-by-a-stranger", b"forged-by-a-stranger").await;
    until_count(&database, "event", 1).await;
    until_count(&database, "dead_letter", 3).await;
    intake.end().await;

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("it is kept as a dead letter"), "{logged}");
    let own: Vec<_> = logged
        .lines()
        .filter(|line| !line.contains("\"target\":\"lapin"))
        .collect();
    for line in own {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert!(!line.contains("forged-by-a-stranger"), "{line}");
    }
}

async fn publish_raw(broker: &TestBroker, content_type: &str, body: &[u8]) {
    let own = BasicProperties::default().with_user_id("api-service".into());
    publish_with(
        broker,
        "api-service",
        own.with_content_type(content_type.into()),
        body,
    )
    .await;
}

/// Without saying who sends it.
async fn publish_raw_as(broker: &TestBroker, service: &str, (content_type, body): (&str, &[u8])) {
    let own = BasicProperties::default().with_content_type(content_type.into());
    publish_with(broker, service, own, body).await;
}

async fn publish_with(broker: &TestBroker, service: &str, properties: BasicProperties, body: &[u8]) {
    let (connection, channel) = channel_of(broker, service).await;
    let exchange = broker.topology().events_exchange();
    let key = "access.api_request.granted".into();
    channel
        .basic_publish(
            exchange.into(),
            key,
            BasicPublishOptions::default(),
            body,
            properties,
        )
        .await
        .unwrap()
        .await
        .unwrap();
    connection.close(200, "done".into()).await.unwrap();
}
