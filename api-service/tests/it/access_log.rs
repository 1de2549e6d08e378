//! The access log: a line for every request, with the id of its event.

use std::io::Write;
use std::sync::{Arc, Mutex};

use api_service::access_log::AccessLog;
use http::StatusCode;
use serde_json::Value;

use crate::harness::{Limits, TestDoor, eventually};

const ROUTES: &str = "[[route]]\nname='any'\nmatch='GET /any'\nallow='signed-in'\nto='orders'\n\
    [[route]]\nname='quiet'\nmatch='GET /quiet'\nallow='anyone'\nto='orders'\naudit='off'\n";

/// What was written.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Output {
    async fn lines(&self, count: usize) -> Vec<Value> {
        let lines = || {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        eventually("the lines are written", async || lines().len() >= count).await;
        lines()
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn every_request_is_a_line_that_says_what_its_event_says_and_has_its_id() {
    let output = Output::default();
    let log = AccessLog::to(output.clone()).unwrap();
    let door = TestDoor::start_with(ROUTES, Limits::default(), |settings| {
        settings.gate.access_log = log;
    })
    .await;

    let token = door.issuer.token();
    let granted = door.get("/any?secret=s3cret", Some(&token)).await;
    let denied = door.get("/any", None).await;
    let quiet = door.get("/quiet", None).await;

    let lines = output.lines(3).await;
    assert_eq!(lines.len(), 3);
    for (line, answer) in lines.iter().zip([&granted, &denied]) {
        let event = door.event_of(answer, "api_request").await;
        assert_eq!(line["id"], event.id.to_string());
        let mut facts = serde_json::to_value(&event.facts).unwrap();
        facts["id"] = line["id"].clone();
        facts["time"] = line["time"].clone();
        assert_eq!(*line, facts);
    }
    assert_eq!(
        (quiet.status, &lines[2]["http"]["route"]),
        (StatusCode::OK, &"/quiet".into())
    );
    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("s3cret") && !text.contains(&token), "{text}");
}

#[tokio::test]
async fn a_request_that_is_not_answered_as_decided_is_told_as_it_was_answered() {
    let output = Output::default();
    let log = AccessLog::to(output.clone()).unwrap();
    let limits = Limits {
        spool_max_bytes: 4096,
        collects: false,
    };
    let door = TestDoor::start_with(ROUTES, limits, |settings| {
        settings.gate.access_log = log;
    })
    .await;

    let mut statuses = Vec::new();
    eventually("the spool is full", async || {
        statuses.push(door.get("/any", None).await.status.as_u16());
        statuses.last() == Some(&503)
    })
    .await;

    let lines = output.lines(statuses.len()).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| line["http"]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(told, statuses.iter().copied().map(u64::from).collect::<Vec<_>>());
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["reason"]),
        (&"error".into(), &"audit_unavailable".into())
    );
}
