//! No answer without its event.

use http::StatusCode;
use shared::event::{Class, action};

use crate::harness::{Limits, TestDoor, eventually};

const ROUTES: &str = "[[route]]\nname='durable'\nmatch='GET /durable'\nallow='anyone'\nto='orders'\n\
    [[route]]\nname='best'\nmatch='GET /best'\nallow='anyone'\nto='orders'\naudit='best-effort'\n\
    [[route]]\nname='off'\nmatch='GET /off'\nallow='anyone'\nto='orders'\naudit='off'\n";

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
    assert_eq!(door.get("/best", None).await.status, StatusCode::OK);
    assert_eq!(door.get("/off", None).await.status, StatusCode::OK);
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
