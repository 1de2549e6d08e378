//! Events to other systems as they come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_collector::event_log::EventLog;
use audit_collector::forwarding::{self, Forwarding, Receiver, SyslogTarget, WebhookTarget};
use audit_collector::search::Filter;
use audit_collector::sequencing;
use audit_collector::webhook::Secret;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use shared::clock::{ManualClock, UtcMicros};
use shared::http::client::{pooled_client, tls_config};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Transport};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, requests};
use crate::harness::eventually;

on_both_databases!(
    a_receiver_of_syslog_that_goes_away_gets_everything_in_order,
    a_receiver_of_webhooks_gets_signed_events_and_the_same_id_again,
    a_message_that_was_not_taken_keeps_its_id_whatever_comes_and_whoever_sends_it,
    what_retention_removed_before_it_was_taken_holds_up_nothing,
    a_receiver_that_takes_nothing_is_told_of,
);

/// One that forwards, until it is dropped.
struct Forwarder {
    log: EventLog,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _spool: (TempDir, SpoolTasks),
}

impl Forwarder {
    async fn to(database: &TestDatabase, receiver: Receiver, tls: ClientConfig) -> Self {
        let log = database.log().await;
        let clock = Arc::new(ManualClock::at(NOW));
        let folder = TempDir::new().unwrap();
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let (spool, tasks) =
            spool::open(&settings, &Transport::InProcess(Bus::new()), clock.clone()).unwrap();
        let forwarding = Forwarding {
            log: log.clone(),
            spool,
            clock,
            client: pooled_client().unwrap(),
            tls: Arc::new(tls),
        };
        let stop = CancellationToken::new();
        let forwarding = tokio::spawn(forwarding::run(forwarding, receiver, stop.clone()));
        let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
        // A new receiver is told what comes from then on.
        eventually("the receiver has a place in the log", || async {
            (database.number("SELECT COUNT(*) FROM forwarding").await == 1).then_some(())
        })
        .await;
        Self {
            log,
            stop,
            tasks: vec![forwarding, leading],
            _spool: (folder, tasks),
        }
    }

    async fn store(&self, count: i64) {
        self.log.append(&requests(count), &[], NOW).await.unwrap();
    }

    async fn wait_for_size(&self, size: u64) {
        eventually("the events are in order", || async {
            (self.log.size().await.unwrap() == size).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// The position in the next frame of syslog; none if the connection has ended.
async fn next_position(stream: &mut (impl AsyncRead + Unpin)) -> Option<u64> {
    let mut length = String::new();
    loop {
        match stream.read_u8().await.ok()? {
            b' ' => break,
            digit => length.push(char::from(digit)),
        }
    }
    let mut message = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut message).await.ok()?;
    let message = String::from_utf8(message).unwrap();
    let (_, rest) = message.split_once("position=\"").unwrap();
    rest.split('"').next().unwrap().parse().ok()
}

async fn a_receiver_of_syslog_that_goes_away_gets_everything_in_order(database: &TestDatabase) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let target: SyslogTarget = format!("tls://localhost:{}", listener.local_addr().unwrap().port())
        .parse()
        .unwrap();
    let forwarder = Forwarder::to(database, Receiver::Syslog(target, Filter::default()), client).await;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    forwarder.store(300).await;

    let mut seen = Vec::new();
    // The first connection breaks in the midst of it.
    for frames in [50, usize::MAX] {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        while seen.len() < frames && seen.last() != Some(&299) {
            seen.extend(next_position(&mut stream).await);
        }
    }

    let again = seen.iter().rposition(|position| *position == 0).unwrap();
    assert_eq!(again, 50, "what was not taken for sure is sent again");
    assert_eq!(seen[again..], (0..300).collect::<Vec<u64>>());
    forwarder.end().await;
}

/// What a receiver of webhooks was sent.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<Message>>>);

impl Received {
    fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn wait_for(&self, count: usize) {
        eventually("so many messages came", || async {
            (self.count() >= count).then_some(())
        })
        .await;
    }
}

/// The id of a message, and the positions of its events.
type Message = (String, Vec<i64>);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Takes a message if it is signed, but for the first one.
async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
    let secret: Secret = SECRET.parse().unwrap();
    let expected = secret.signature(id, UtcMicros::from_seconds(time), &body);
    if header("webhook-signature") != expected {
        return StatusCode::UNAUTHORIZED;
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    let events = message["data"]["events"].as_array().unwrap();
    let positions = events.iter().map(|event| event["position"].as_i64().unwrap());
    let mut received = received.0.lock().unwrap();
    received.push((id.to_owned(), positions.collect()));
    if received.len() == 1 {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NO_CONTENT
    }
}

fn webhook(address: &str, filter: &str) -> Receiver {
    let target = WebhookTarget {
        address: format!("http://{address}/hook").parse().unwrap(),
        secret: SECRET.parse().unwrap(),
    };
    Receiver::Webhook(Box::new(target), Filter::parse(filter, NOW).unwrap())
}

async fn a_receiver_of_webhooks_gets_signed_events_and_the_same_id_again(database: &TestDatabase) {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = webhook(
        &listener.local_addr().unwrap().to_string(),
        "time:<2026-01-15T00:00:03Z",
    );
    let app = Router::new()
        .route("/hook", post(receive))
        .with_state(received.clone());
    let serving = tokio::spawn(async { axum::serve(listener, app).await });
    let forwarder = Forwarder::to(database, receiver, tls_config().unwrap()).await;

    forwarder.store(5).await;
    received.wait_for(2).await;

    let seen = received.messages();
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], ("events_0_2".to_owned(), vec![0, 1, 2]));
    eventually("the place in the log is noted", || async {
        (database.number("SELECT position FROM forwarding").await == 5).then_some(())
    })
    .await;
    forwarder.end().await;
    serving.abort();
}

/// A receiver that refuses the first message when it is told to, never answers the second one, and takes the others.
#[derive(Clone)]
struct Reluctant {
    received: Received,
    refuse: Arc<Notify>,
}

async fn receive_reluctantly(
    State(reluctant): State<Reluctant>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let status = receive(State(reluctant.received.clone()), headers, body).await;
    match reluctant.received.count() {
        1 => reluctant.refuse.notified().await,
        2 => std::future::pending().await,
        _ => {}
    }
    status
}

async fn a_message_that_was_not_taken_keeps_its_id_whatever_comes_and_whoever_sends_it(
    database: &TestDatabase,
) {
    let reluctant = Reluctant {
        received: Received::default(),
        refuse: Arc::default(),
    };
    let received = &reluctant.received;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = webhook(&listener.local_addr().unwrap().to_string(), "class:access");
    let app = Router::new()
        .route("/hook", post(receive_reluctantly))
        .with_state(reluctant.clone());
    let serving = tokio::spawn(async { axum::serve(listener, app).await });
    let forwarder = Forwarder::to(database, receiver.clone(), tls_config().unwrap()).await;
    forwarder.store(3).await;
    received.wait_for(1).await;

    forwarder.store(2).await;
    forwarder.wait_for_size(5).await;
    reluctant.refuse.notify_one();
    received.wait_for(2).await;
    forwarder.end().await;
    let successor = Forwarder::to(database, receiver, tls_config().unwrap()).await;
    received.wait_for(4).await;

    let ids: Vec<String> = received.messages().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["events_0_2", "events_0_2", "events_0_2", "events_3_4"]);
    successor.end().await;
    serving.abort();
}

async fn what_retention_removed_before_it_was_taken_holds_up_nothing(database: &TestDatabase) {
    // Whoever connects to it waits for an answer.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = webhook(&silent.local_addr().unwrap().to_string(), "class:access");
    let forwarder = Forwarder::to(database, receiver, tls_config().unwrap()).await;
    forwarder.store(3).await;
    eventually("they are being sent", || async {
        let until = "SELECT COALESCE(MAX(offered_until), 0) FROM forwarding";
        (database.number(until).await == 3).then_some(())
    })
    .await;
    forwarder.end().await;
    database.change("DELETE FROM event").await;

    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = webhook(&listener.local_addr().unwrap().to_string(), "class:access");
    let app = Router::new()
        .route("/hook", post(receive))
        .with_state(received.clone());
    let serving = tokio::spawn(async { axum::serve(listener, app).await });
    let successor = Forwarder::to(database, receiver, tls_config().unwrap()).await;
    successor.store(1).await;
    received.wait_for(1).await;

    assert_eq!(received.messages()[0], ("events_3_3".to_owned(), vec![3]));
    successor.end().await;
    serving.abort();
}

async fn a_receiver_that_takes_nothing_is_told_of(database: &TestDatabase) {
    // A port that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let forwarder = Forwarder::to(database, webhook(&address, "class:access"), tls_config().unwrap()).await;

    forwarder.store(2).await;
    let api = TestApi::on(database.log().await);
    let standing = eventually("it is told that nothing gets through", || async {
        let body = api.get("/v1/forwarding").await.body;
        let standing = body["receivers"][0].clone();
        (!standing["failing_since"].is_null()).then_some(standing)
    })
    .await;

    assert_eq!(
        (&standing["name"], &standing["position"], &standing["sent"]),
        (&"webhook".into(), &0.into(), &0.into())
    );
    assert_eq!(standing["lag"], 2);
    assert!(
        standing["last_error"]
            .as_str()
            .unwrap()
            .contains("cannot be reached"),
        "{standing}"
    );
    let ending = forwarder.end();
    tokio::time::timeout(Duration::from_secs(30), ending)
        .await
        .expect("it does not end");
}
