//! No answer without its event.

use std::path::Path;
use std::sync::Arc;

use http::StatusCode;
use shared::clock::SystemClock;
use shared::event::{Class, Outcome, action};
use shared::spool::SpoolSettings;
use shared::transport::{Bus, Transport};
use tempfile::TempDir;

use crate::harness::{Collector, Limits, TestDoor, eventually};

const ROUTES: &str = "[[route]]\nname='durable'\nmatch='GET /durable'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='best'\nmatch='GET /best'\nallow='anyone'\nto='orders'\naudit='best-effort'\n\
    [[route]]\nname='off'\nmatch='GET /off'\nallow='anyone'\nto='orders'\naudit='off'\n\
    [[route]]\nname='closed'\nmatch='GET /closed'\nallow='anyone'\nto='orders'\naudit='fail-closed'\n\
    [[route]]\nname='never'\nmatch='GET /never'\nallow='anyone'\nto='orders'\naudit='fail-closed'\n";

#[tokio::test]
async fn a_full_spool_stops_what_must_be_recorded_and_nothing_else() {
    let limits = Limits {
        spool_max_bytes: 4096,
        collects: false,
    };
    let door = TestDoor::start_limited(ROUTES, limits).await;

    eventually("the spool is full", async || {
        door.get("/durable", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    let refused = door.get("/durable", None).await;
    assert_eq!(refused.json()["code"], "audit_unavailable");
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(
        door.get("/closed", None).await.json()["code"],
        "audit_unavailable"
    );
    assert_eq!(door.get("/best", None).await.status, StatusCode::OK);
    assert_eq!(door.get("/off", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_best_effort_route_sheds_is_counted_and_told_when_there_is_room_again() {
    let limits = Limits {
        spool_max_bytes: 4096,
        collects: false,
    };
    let door = TestDoor::start_limited(ROUTES, limits).await;
    eventually("the spool is full", async || {
        door.get("/durable", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let before = shared::clock::UtcMicros::from_micros(0);
    // Some of these may still find room.
    for _ in 0..20 {
        assert_eq!(door.get("/best", None).await.status, StatusCode::OK);
    }

    door.collect();
    let told = door
        .collector
        .first("the gap", |event| event.facts.action == action::EVENTS_SHED)
        .await;

    let of_best = |event: &shared::event::Event| {
        event.facts.class == Class::Access
            && event
                .facts
                .policy
                .as_ref()
                .is_some_and(|policy| policy.route.as_deref() == Some("best"))
    };
    let kept = door.collector.matching(of_best).len() as u64;
    let shed = told.facts.detail["count"].as_u64().unwrap();
    assert_eq!(kept + shed, 20);
    assert!(shed > 0);
    assert_eq!(told.facts.detail["route"], "best");
    let time = |name: &str| told.facts.detail[name].as_str().unwrap().parse().unwrap();
    let (since, until): (shared::clock::UtcMicros, shared::clock::UtcMicros) = (time("since"), time("until"));
    assert!(before < since && since < until && until <= told.time);
    assert!(
        door.metrics()
            .await
            .contains(&format!("gatelog_door_events_shed_total {shed}"))
    );
}

#[tokio::test]
async fn a_gap_that_is_open_at_the_end_is_told_before_bye() {
    let limits = Limits {
        spool_max_bytes: 0,
        collects: false,
    };
    let door = TestDoor::start_limited(ROUTES, limits).await;
    assert_eq!(door.get("/best", None).await.status, StatusCode::OK);
    let collector = door.collector.clone();
    let bus = door.bus();

    let closing = tokio::spawn(door.close());
    collector.collect(&bus);
    closing.await.unwrap();

    let actions: Vec<_> = collector
        .all()
        .into_iter()
        .map(|event| event.facts.action)
        .collect();
    assert_eq!(actions, [action::BOOT, action::EVENTS_SHED, action::BYE]);
}

#[tokio::test]
async fn a_fail_closed_request_is_one_event() {
    let door = TestDoor::start(ROUTES).await;

    let answered = door.get("/closed", None).await;

    let event = door.event_of(&answered, action::API_REQUEST).await;
    assert_eq!(event.facts.outcome, Outcome::Granted);
    assert_eq!(event.facts.reason, None);
    let collector = door.collector.clone();
    door.close().await;
    assert_eq!(collector.matching(|other| other.id == event.id).len(), 1);
}

#[tokio::test]
async fn a_request_under_way_when_the_door_dies_is_told_by_the_next_as_of_unknown_outcome() {
    let door = TestDoor::start(ROUTES).await;
    let address = door.address;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "GET /never?token=hunter2 HTTP/1.1\r\nhost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .unwrap();
    eventually("the request is passed on", async || {
        door.metrics().await.contains("gatelog_door_spool_intents_open 1")
    })
    .await;
    let left = crash_image(&door.spool_dir());

    let (bus, clock) = (Bus::new(), Arc::new(SystemClock));
    let next = Collector::start(&bus, true);
    let settings = SpoolSettings {
        dir: left.path().to_owned(),
        service: "api-service",
        instance: "next".parse().unwrap(),
        bytes_max: 1 << 20,
    };
    let (_spool, _tasks) = shared::spool::open(&settings, &Transport::InProcess(bus), clock).unwrap();
    let told = next
        .first("the intent", |event| {
            event.facts.reason.as_deref() == Some("outcome_unknown")
        })
        .await;

    assert_eq!(told.facts.outcome, Outcome::Error);
    assert_eq!(told.facts.policy.unwrap().route.as_deref(), Some("never"));
    let http = told.facts.http.unwrap();
    assert_eq!((http.status, http.path.as_str()), (None, "/never"));
    let former = next.matching(|event| event.source == told.source);
    let numbers: Vec<_> = former.iter().map(|event| event.seq).collect();
    assert_eq!(numbers.last(), Some(&told.seq));
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
}

#[tokio::test]
async fn a_fail_closed_request_whose_client_goes_is_told_under_the_id_of_its_intent() {
    let door = TestDoor::start(ROUTES).await;
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let head = "GET /never HTTP/1.1\r\nhost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .unwrap();
    eventually("the request is passed on", async || {
        door.metrics().await.contains("gatelog_door_spool_intents_open 1")
    })
    .await;

    drop(stream);

    let gone = door
        .collector
        .first("the event", |event| {
            event.facts.reason.as_deref() == Some("client_gone")
        })
        .await;
    assert_eq!(gone.facts.outcome, Outcome::Error);
    eventually("the intent is no more", async || {
        door.metrics().await.contains("gatelog_door_spool_intents_open 0")
    })
    .await;
}

/// The folders as a crash leaves them: a copy, with no process that holds it.
fn crash_image(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for folder in std::fs::read_dir(dir).unwrap() {
        let folder = folder.unwrap().path();
        let copy = image.path().join(folder.file_name().unwrap());
        std::fs::create_dir(&copy).unwrap();
        for name in ["lock", "spool.db", "spool.db-wal"] {
            std::fs::copy(folder.join(name), copy.join(name)).unwrap();
        }
    }
    image
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_reach_the_upstream() {
    let routes = "[[route]]\nname='counted'\nmatch='GET /counted'\nallow='anyone'\nto='orders'\n\
        [[route]]\nname='count'\nmatch='GET /count'\nallow='anyone'\nto='orders'\naudit='off'\n";
    let limits = Limits {
        spool_max_bytes: 16 * 1024,
        collects: false,
    };
    let door = TestDoor::start_limited(routes, limits).await;
    let mut served = 0;
    eventually("the spool is full", async || {
        let answer = door.get("/counted", None).await;
        served += u32::from(answer.status == StatusCode::OK);
        answer.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    let refused = door.get("/counted", None).await;

    assert_eq!(refused.json()["code"], "audit_unavailable");
    assert!(served > 0);
    assert_eq!(
        door.get("/count", None).await.body,
        served.to_string().into_bytes()
    );
}

#[tokio::test]
async fn a_door_that_stops_waits_for_the_events_of_requests_that_it_cuts_off() {
    let routes = "[[route]]\nname='never'\nmatch='GET /never'\nallow='anyone'\nto='orders'\n";
    let door = TestDoor::start(routes).await;
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let head = "GET /never HTTP/1.1\r\nhost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .unwrap();
    // A request is known to be under way when a later one has been answered.
    door.get("/nothing", None).await;
    let collector = door.collector.clone();

    door.close().await;

    let cut_off = collector.matching(|event| event.facts.reason.as_deref() == Some("client_gone"));
    assert_eq!(cut_off.len(), 1);
    assert_eq!(collector.all().last().unwrap().facts.action, action::BYE);
}

#[tokio::test]
async fn a_password_in_an_absolute_target_is_not_recorded() {
    let door = TestDoor::start(ROUTES).await;
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let head = "GET http://user:hunter2@app.test/durable HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .unwrap();

    let event = door
        .collector
        .first("the request", |event| event.facts.class == Class::Access)
        .await;

    assert_eq!(event.facts.http.unwrap().host.as_deref(), Some("app.test"));
}

#[tokio::test]
async fn a_route_without_audit_leaves_no_event() {
    let door = TestDoor::start(ROUTES).await;

    assert_eq!(door.get("/off", None).await.status, StatusCode::OK);
    let recorded = door.get("/durable", None).await;

    door.event_of(&recorded, action::API_REQUEST).await;
    assert_eq!(
        door.collector
            .matching(|event| event.facts.class == Class::Access)
            .len(),
        1
    );
}

#[tokio::test]
async fn answered_requests_are_events_in_an_unbroken_row_from_boot_to_bye() {
    let door = TestDoor::start(ROUTES).await;
    let mut answered = Vec::new();
    for _ in 0..20 {
        answered.push(door.get("/durable", None).await.header("x-request-id").to_owned());
    }
    let collector = door.collector.clone();

    door.close().await;

    let events = collector.all();
    let recorded: Vec<_> = events
        .iter()
        .filter_map(|event| event.facts.trace.as_ref())
        .map(|trace| trace.request_id.clone())
        .collect();
    assert_eq!(recorded, answered);
    let numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(events.first().unwrap().facts.action, action::BOOT);
    assert_eq!(events.last().unwrap().facts.action, action::BYE);
}
