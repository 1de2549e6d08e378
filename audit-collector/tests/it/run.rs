//! The whole collector, from start to end.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::detection::DetectionSettings;
use audit_collector::response::ResponseSettings;
use audit_collector::retention::Periods;
use audit_collector::settings::{SERVICE, Settings};
use shared::clock::SystemClock;
use shared::runtime::cli::StartError;
use shared::runtime::common::ProcessSettings;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::runtime::telemetry::LogFormat;
use shared::transport::{Bus, Transport};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::broker::TestBroker;
use crate::harness::database::TestDatabase;
use crate::harness::eventually;

/// The settings of a collector on `database`.
pub(crate) fn settings(database: &TestDatabase, transport: Transport, spool: &TempDir) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        issuer: "http://gatelog.test".into(),
        auth_url: "http://127.0.0.1:9".into(),
        database_url: database.url.clone(),
        transport,
        spool_dir: spool.path().to_owned(),
        spool_max_bytes: 1_000_000,
        service_token: "0123456789abcdef0123456789abcdef".into(),
        prefetch: 100,
        batch_max: 50,
        batch_linger: Duration::from_millis(5),
        gap_after: Duration::from_mins(2),
        retention: Periods::default(),
        receivers: Vec::new(),
        notified: Vec::new(),
        places: None,
        pseudonyms: None,
        detection: DetectionSettings::load("http://gatelog.test", None, None).unwrap(),
        responses: ResponseSettings::default(),
        process: ProcessSettings {
            instance: "test".parse().unwrap(),
            trusted_proxies: Vec::new(),
            log: "info".parse().unwrap(),
            log_format: LogFormat::Json,
            metrics_listen: None,
            metrics: Metrics::new(),
            traces: shared::http::traces::Traces::default(),
        },
        clock: Arc::new(SystemClock),
    }
}

/// Starts a collector, waits for so many events, stops it, and returns what is stored of collectors.
async fn start_and_stop(database: &TestDatabase, transport: Transport, events: i64) -> Vec<String> {
    let spool = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = CancellationToken::new();
    let settings = settings(database, transport, &spool);
    let running = tokio::spawn(audit_collector::run(settings, listener, shutdown.clone()));
    // The tables are made while the collector starts.
    drop(database.log().await);
    eventually("its first events are stored", || async {
        assert!(!running.is_finished(), "the collector ended by itself");
        (database.number("SELECT COUNT(*) FROM event").await >= events).then_some(())
    })
    .await;

    shutdown.cancel();
    running.await.unwrap().unwrap();

    // Beside what waits there are the files of what was confirmed.
    let left = std::fs::read_dir(spool.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let waiting: Vec<_> = left.filter(|path| path.is_dir()).collect();
    assert!(waiting.is_empty(), "something is left in the spool: {waiting:?}");
    let own: Vec<(String,)> = database
        .rows(&format!(
            "SELECT action FROM event WHERE service = '{SERVICE}' ORDER BY time, seq"
        ))
        .await;
    own.into_iter().map(|(action,)| action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_stores_its_own_first_and_last_event() {
    let database = TestDatabase::sqlite();

    let own = start_and_stop(&database, Transport::InProcess(Bus::new()), 1).await;

    assert_eq!(own, ["boot", "bye"]);
    assert_eq!(database.number("SELECT size FROM log_state").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_over_real_servers() {
    let Some(broker) = TestBroker::new() else { return };
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };

    let first = start_and_stop(&database, broker.transport(SERVICE), 1).await;
    // The last event of the first may have been too late for it; then the next one finds it on the queue.
    let both = start_and_stop(&database, broker.transport(SERVICE), 3).await;

    assert_eq!(first[0], "boot");
    assert_eq!(&both[..3], ["boot", "bye", "boot"]);
    let events = database.number("SELECT COUNT(*) FROM event").await;
    assert_eq!(database.number("SELECT size FROM log_state").await, events);
    database.remove().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_is_an_error_of_the_configuration() {
    let spool = TempDir::new().unwrap();
    let database = TestDatabase::sqlite();
    let mut settings = settings(&database, Transport::InProcess(Bus::new()), &spool);
    settings.database_url = "sqlite:/nonexistent/folder/audit.db".parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();

    let ended = audit_collector::run(settings, listener, CancellationToken::new()).await;

    assert!(matches!(ended, Err(StartError::Config(_))), "{ended:?}");
}

#[tokio::test]
async fn a_refused_password_is_an_error_and_an_absent_server_is_waited_for() {
    let spool = TempDir::new().unwrap();
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let address = database.url.to_string();
    let (_, place) = address.split_once("://").unwrap();
    let mut refused = settings(&database, Transport::InProcess(Bus::new()), &spool);
    refused.database_url = format!("postgres://gatelog:wrong@{place}").parse().unwrap();
    let mut absent = settings(&database, Transport::InProcess(Bus::new()), &spool);
    absent.database_url = "postgres://gatelog:x@127.0.0.1:9/none".parse().unwrap();
    let shutdown = CancellationToken::new();
    let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();

    let ended = audit_collector::run(refused, listen().await, shutdown.clone()).await;
    let mut waiting = tokio::spawn(audit_collector::run(absent, listen().await, shutdown.clone()));

    let Err(StartError::Config(text)) = ended else {
        panic!("{ended:?}");
    };
    assert!(!text.contains("wrong"), "{text}");
    assert!(
        tokio::time::timeout(Duration::from_millis(500), &mut waiting)
            .await
            .is_err()
    );
    shutdown.cancel();
    waiting.await.unwrap().unwrap();
    database.remove().await;
}
