//! Importing logs of other programs.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use audit_collector::event_log::EventLog;
use audit_collector::import::{Format, ImportError, Input, Stopped, Summary, import};
use audit_collector::search::Search;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use shared::clock::{ManualClock, SharedClock};
use shared::event::wire;
use tempfile::TempDir;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, event, request_facts};

on_both_databases!(
    a_log_that_is_imported_twice_is_stored_once,
    bad_lines_are_named_and_kept_apart_and_hold_up_nothing,
    imported_events_are_found_by_what_their_lines_say,
    events_of_another_deployment_are_claimed_and_keep_their_origin,
    what_was_read_before_a_break_is_stored,
    what_is_imported_otherwise_is_told_and_neither_stored_nor_kept_apart,
);

const LINE: &str =
    r#"192.0.2.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?x=1 HTTP/1.1" 404 12 "-" "curl/8""#;

/// So many lines, no two of them alike.
fn lines(count: usize) -> String {
    let lines: Vec<_> = (0..count)
        .map(|number| LINE.replace("/a?", &format!("/{number}?")) + "\n")
        .collect();
    lines.concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Imports `bytes` as the log `www`, and returns what came of it and the bad lines.
async fn import_bytes(log: &EventLog, bytes: Vec<u8>) -> (Result<Summary, Stopped>, Vec<Value>) {
    let folder = TempDir::new().unwrap();
    let rejects: PathBuf = folder.path().join("www.rejected");
    let input = Input {
        name: "www".to_owned(),
        reader: Box::new(Cursor::new(bytes)),
        format: None,
        rejects: rejects.clone(),
    };
    let clock: SharedClock = Arc::new(ManualClock::at(NOW));
    let summary = import(log, &clock, input, |_| {}).await;
    let kept = std::fs::read_to_string(rejects).unwrap_or_default();
    let bad = kept.lines().map(|line| serde_json::from_str(line).unwrap());
    (summary, bad.collect())
}

async fn found(log: &EventLog, query: &str) -> Vec<Value> {
    let page = log.search(&Search::parse(query, NOW).unwrap()).await.unwrap();
    page.events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

async fn a_log_that_is_imported_twice_is_stored_once(database: &TestDatabase) {
    let log = database.log().await;
    let lines = lines(2_500);
    // Two requests of one second that look alike are two.
    let bytes = gzip(format!("{lines}{LINE}\n{LINE}\n").as_bytes());

    let first = import_bytes(&log, bytes.clone()).await.0.unwrap();
    let again = import_bytes(&log, bytes).await.0.unwrap();

    assert_eq!(
        (first.stored, first.known, first.format),
        (2_502, 0, Some(Format::Common))
    );
    assert_eq!((again.stored, again.known), (0, 2_502));
    let stored = database
        .number("SELECT COUNT(*) FROM event WHERE class = 'access'")
        .await;
    assert_eq!(stored, 2_502);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    assert_eq!(found(&log, "action=log_imported").await.len(), 2);
}

async fn bad_lines_are_named_and_kept_apart_and_hold_up_nothing(database: &TestDatabase) {
    let log = database.log().await;
    let bytes = [
        b"started\n",
        LINE.as_bytes(),
        b"\n\nbad \xff line\n",
        LINE.as_bytes(),
    ]
    .concat();

    let (summary, bad) = import_bytes(&log, bytes).await;

    let summary = summary.unwrap();
    assert_eq!((summary.stored, summary.bad, summary.lines()), (2, 2, 4));
    assert_eq!(summary.named[0].0, 1);
    assert_eq!(bad[0]["line"], 1);
    assert_eq!(
        bad[0]["cause"],
        "the line is in no format that is known; say which by --format"
    );
    assert_eq!(
        (&bad[1]["line"], &bad[1]["text"]),
        (&4.into(), &"bad \u{fffd} line".into())
    );
}

async fn imported_events_are_found_by_what_their_lines_say(database: &TestDatabase) {
    let log = database.log().await;
    import_bytes(&log, LINE.into()).await.0.unwrap();

    for query in [
        "service=import",
        "instance=www&class=access",
        "user=frank",
        "ip=192.0.2.9",
        "path=/a",
        "status=404&outcome=denied",
        "identity=claimed",
        "to=2001-01-01T00:00:00Z",
    ] {
        assert_eq!(
            found(&log, query).await.len(),
            1 + usize::from(query == "service=import"),
            "{query}"
        );
    }
    let event = &found(&log, "user=frank").await[0];
    assert_eq!(event["time"], "2000-10-10T20:55:36.000000Z");
    assert_eq!(event["time_suspect"], Value::Null);
    assert_eq!(event["recorded_at"], NOW.to_string());
}

async fn events_of_another_deployment_are_claimed_and_keep_their_origin(database: &TestDatabase) {
    let log = database.log().await;
    let there = arrival(event(NOW, request_facts()));
    let line = wire::encode(&there.event).unwrap();

    let summary = import_bytes(&log, line.clone()).await.0.unwrap();
    let again = import_bytes(&log, line).await.0.unwrap();

    assert_eq!((summary.stored, again.known), (1, 1));
    let here = &found(&log, "sub=usr_alice").await[0];
    assert_eq!(here["actor"]["identity"], "claimed");
    assert_eq!(here["source"]["service"], "import");
    assert_eq!(here["detail"]["imported"]["id"], there.event.id.to_string());
}

async fn what_was_read_before_a_break_is_stored(database: &TestDatabase) {
    let log = database.log().await;
    let lines = lines(5_000);
    let mut bytes = gzip(lines.as_bytes());
    bytes.truncate(bytes.len() - 1_000);

    let broken = import_bytes(&log, bytes).await.0;

    let Err(Stopped {
        summary,
        error: ImportError::Unreadable { line, .. },
    }) = broken
    else {
        panic!("the end was believed");
    };
    let stored = database
        .number("SELECT COUNT(*) FROM event WHERE class = 'access'")
        .await;
    assert!((1..5_000).contains(&stored), "{stored}");
    assert_eq!(
        (summary.stored, line),
        (stored.cast_unsigned(), stored.cast_unsigned())
    );
    assert_eq!(found(&log, "action=log_imported").await[0]["outcome"], "error");
    let whole = import_bytes(&log, lines.into()).await.0.unwrap();
    assert_eq!(whole.stored + whole.known, 5_000);
    assert_eq!(whole.known, u64::try_from(stored).unwrap());
}

async fn what_is_imported_otherwise_is_told_and_neither_stored_nor_kept_apart(database: &TestDatabase) {
    let log = database.log().await;
    let mut there = event(NOW, request_facts());
    import_bytes(&log, wire::encode(&there).unwrap()).await.0.unwrap();
    there.facts.actor.username = Some("mallory".into());

    let again = import_bytes(&log, wire::encode(&there).unwrap()).await.0.unwrap();

    assert_eq!((again.stored, again.known, again.differing), (0, 0, 1));
    assert_eq!(found(&log, "sub=usr_alice").await.len(), 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    let told = found(&log, "action=log_imported").await;
    assert!(
        told.iter().any(|event| event["detail"]["differing"] == 1),
        "{told:?}"
    );
}
