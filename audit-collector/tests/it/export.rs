//! Taking the log elsewhere.

use std::path::Path;
use std::time::Duration;

use audit_collector::event_log::Arrival;
use audit_collector::export::ExportCommand;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use clap::Parser as _;
use futures_util::StreamExt as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use shared::event::{Event, Outcome, action, wire};
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Bus, Transport};
use tempfile::TempDir;

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts, requests};
use crate::run::settings;

on_both_databases!(
    every_format_has_every_event_that_was_asked_for,
    the_manifest_is_an_event_that_fits_the_file,
    no_cell_is_a_formula,
    a_reader_whose_session_ends_gets_no_more_and_no_proper_end,
    only_so_many_export_at_a_time,
    a_command_that_is_interrupted_leaves_nothing_and_is_recorded,
    a_file_of_the_command_is_whole_and_replaces_none,
);

/// More than two pages, one of them bob's.
const COUNT: i64 = 1_201;

fn of(username: &str, seconds: i64) -> Arrival {
    let mut facts = request_facts();
    facts.actor.username = Some(username.to_owned());
    arrival(event(at(seconds), facts))
}

async fn api(database: &TestDatabase) -> TestApi {
    let log = database.log().await;
    log.append(&requests(COUNT), &[], NOW).await.unwrap();
    log.append(&[of("bob", 5_000)], &[], NOW).await.unwrap();
    TestApi::on(log)
}

async fn export(api: &TestApi, query: &str) -> Answer {
    let token = api.token("audit:export");
    api.get_as(&format!("/v1/export?{query}"), Some(&token)).await
}

async fn exported(api: &mut TestApi) -> Event {
    api.recorded_event(|event| event.facts.action == action::LOG_EXPORTED)
        .await
}

fn lines(bytes: &Bytes) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn every_format_has_every_event_that_was_asked_for(database: &TestDatabase) {
    let api = api(database).await;

    for format in ["ndjson", "ocsf", "ecs"] {
        let all = lines(&export(&api, &format!("format={format}")).await.bytes);
        assert_eq!(all.len(), 1_202, "{format}");
        let some = lines(&export(&api, &format!("format={format}&q=user:bob")).await.bytes);
        assert_eq!(some.len(), 1, "{format}");
    }
    let csv = export(&api, "format=csv&q=-user:bob").await.bytes;
    let csv = std::str::from_utf8(&csv).unwrap();
    assert_eq!(csv.lines().count(), 1_202);
    assert!(csv.starts_with("id,time,recorded_at,"));
    let parquet = export(&api, "format=parquet&user=bob").await.bytes;
    let rows = SerializedFileReader::new(parquet).unwrap();
    let row = rows.get_row_iter(None).unwrap().next().unwrap().unwrap();
    assert_eq!(rows.metadata().file_metadata().num_rows(), 1);
    let named = |name: &str| {
        row.get_column_iter()
            .position(|(column, _)| column == name)
            .unwrap()
    };
    assert_eq!(row.get_string(named("username")).unwrap(), "bob");
    assert_eq!(row.get_long(named("status")).unwrap(), 200);
    assert_eq!(
        row.get_timestamp_micros(named("time")).unwrap(),
        at(5_000).as_micros()
    );
}

async fn the_manifest_is_an_event_that_fits_the_file(database: &TestDatabase) {
    let mut api = api(database).await;

    let answer = export(&api, "format=parquet&user=alice").await;

    let told = exported(&mut api).await;
    let detail = &told.facts.detail;
    let hash = digest(&SHA256, &answer.bytes);
    let hash: Vec<_> = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        answer.headers["gatelog-export-id"].to_str().unwrap(),
        told.id.to_string()
    );
    assert_eq!(
        (&detail["sha256"], &detail["complete"]),
        (&hash.concat().into(), &true.into())
    );
    assert_eq!(
        (&detail["events"], &detail["bytes"]),
        (&1_201.into(), &answer.bytes.len().into())
    );
    assert_eq!(detail["first_time"], at(0).to_string());
    assert_eq!(detail["last_time"], at(1_200).to_string());
    assert_eq!(detail["filter"]["user"], "alice");
    assert_eq!(told.facts.actor.sub.as_deref(), Some("usr_auditor"));

    let refused = api.get("/v1/export?format=csv").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &"insufficient_scope".into())
    );
    for (query, parameter) in [
        ("", "format"),
        ("format=xml", "format"),
        ("format=csv&limit=5", "limit"),
    ] {
        let answer = export(&api, query).await;
        assert_eq!(answer.body["parameter"], parameter, "{query}: {}", answer.body);
    }
}

async fn no_cell_is_a_formula(database: &TestDatabase) {
    let log = database.log().await;
    log.append(&[of("=cmd|' /C calc'!A0", 1), of("a,\"b\"", 2)], &[], NOW)
        .await
        .unwrap();

    let csv = export(&TestApi::on(log), "format=csv").await.bytes;

    let csv = std::str::from_utf8(&csv).unwrap();
    assert!(csv.contains(",\"'=cmd|' /C calc'!A0\","), "{csv}");
    assert!(csv.contains(",\"a,\"\"b\"\"\","), "{csv}");
}

/// Begins an export that nobody reads yet.
async fn begin(api: &TestApi, query: &str) -> axum::response::Response {
    let token = api.token("audit:export");
    let request =
        Request::get(format!("/v1/export?{query}")).header("authorization", format!("Bearer {token}"));
    api.begin(request.body(Body::empty()).unwrap()).await
}

async fn a_reader_whose_session_ends_gets_no_more_and_no_proper_end(database: &TestDatabase) {
    let log = database.log().await;
    for _ in 0..6 {
        log.append(&requests(500), &[], NOW).await.unwrap();
    }
    let mut api = TestApi::on(log);
    let mut body = begin(&api, "format=ndjson").await.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();

    api.revoke_session();

    let mut rest = Vec::new();
    while let Some(piece) = body.next().await {
        rest.push(piece.is_ok());
    }
    assert_eq!(rest.last(), Some(&false));
    assert!(rest.len() < 5, "{rest:?}");
    let told = exported(&mut api).await;
    assert_eq!(told.facts.reason.as_deref(), Some("token_revoked"));
    assert_eq!(
        (&told.facts.detail["complete"], &told.facts.detail["sha256"]),
        (&false.into(), &Value::Null)
    );
}

async fn only_so_many_export_at_a_time(database: &TestDatabase) {
    let log = database.log().await;
    for _ in 0..6 {
        log.append(&requests(500), &[], NOW).await.unwrap();
    }
    let mut api = TestApi::on(log);
    let unread = begin(&api, "format=ndjson").await;

    let refused = export(&api, "format=csv").await;
    assert_eq!(refused.body["code"], "too_many_exports");

    drop(unread);
    assert_eq!(
        exported(&mut api).await.facts.reason.as_deref(),
        Some("reader_gone")
    );
}

/// What was given on the command line.
#[derive(clap::Parser)]
struct Given {
    #[command(flatten)]
    export: ExportCommand,
}

/// Runs the command into `out` until `stop`; returns how it ended, and its event if there is one.
async fn run_command(
    database: &TestDatabase,
    out: &Path,
    stop: CancellationToken,
) -> (Result<(), StartError>, Option<Event>) {
    let log = database.log().await;
    let spool = TempDir::new().unwrap();
    let transport = Transport::InProcess(Bus::new());
    let mut recorded = transport.consumer(100);
    let settings = settings(database, transport, &spool);
    let out = out.to_str().unwrap();
    let given = Given::parse_from(["export", "--format", "ndjson", "--out", out]);

    let mut events = Vec::new();
    let taking = async {
        loop {
            let deliveries = recorded.receive(100, Duration::ZERO).await.unwrap();
            events.extend(deliveries.iter().map(|one| wire::decode(&one.body).unwrap()));
            let receipts = deliveries.into_iter().map(|one| one.receipt).collect();
            recorded.acknowledge(receipts).await.unwrap();
        }
    };
    let ended = tokio::select! {
        ended = given.export.run_on(log.database(), &settings, &stop) => ended,
        () = taking => unreachable!("it takes without end"),
    };
    let told = events
        .into_iter()
        .find(|event| event.facts.action == action::LOG_EXPORTED);
    (ended, told)
}

fn names_in(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A log to export, and where to.
async fn filled(database: &TestDatabase) -> TempDir {
    let log = database.log().await;
    log.append(&requests(COUNT), &[], NOW).await.unwrap();
    TempDir::new().unwrap()
}

async fn a_command_that_is_interrupted_leaves_nothing_and_is_recorded(database: &TestDatabase) {
    let folder = filled(database).await;
    let stop = CancellationToken::new();
    stop.cancel();

    let (ended, told) = run_command(database, &folder.path().join("all.ndjson"), stop).await;

    assert!(ended.unwrap_err().to_string().contains("interrupted"));
    assert_eq!(names_in(&folder), [""; 0]);
    let facts = told.unwrap().facts;
    assert_eq!(
        (facts.outcome, facts.reason.as_deref()),
        (Outcome::Error, Some("interrupted"))
    );
    assert_eq!(facts.detail["complete"], false);
}

async fn a_file_of_the_command_is_whole_and_replaces_none(database: &TestDatabase) {
    let folder = filled(database).await;
    let out = folder.path().join("all.ndjson");

    let (first, told) = run_command(database, &out, CancellationToken::new()).await;
    let written = std::fs::read(&out).unwrap();
    let (again, nothing) = run_command(database, &out, CancellationToken::new()).await;

    first.unwrap();
    assert_eq!(told.unwrap().facts.outcome, Outcome::Success);
    assert_eq!(lines(&written.clone().into()).len(), 1_201);
    assert_eq!(names_in(&folder), ["all.ndjson", "all.ndjson.manifest.json"]);
    assert!(again.unwrap_err().to_string().contains("all.ndjson: "));
    assert!(nothing.is_none());
    assert_eq!(std::fs::read(&out).unwrap(), written);
}
