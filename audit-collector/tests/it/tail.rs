//! Following the log as it grows.

use std::time::Duration;

use audit_collector::event_log::EventLog;
use audit_collector::sequencing;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::event::{Class, Facts, HttpFacts, Outcome, action};
use shared::runtime::shutdown::CancellationToken;
use tokio::task::JoinHandle;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, event_of, request_facts, requests};
use crate::harness::eventually;

on_both_databases!(
    a_tail_tells_what_is_stored_from_then_on_and_meets_its_filter,
    a_tail_that_comes_back_goes_on_where_it_was,
    a_slow_reader_misses_nothing,
    a_tail_ends_with_its_session_its_token_or_the_process,
    tails_do_not_show_themselves_and_their_number_is_bounded,
);

/// A log that is put in order until this is dropped.
struct Ordered {
    log: EventLog,
    stop: CancellationToken,
    leading: JoinHandle<()>,
}

impl Ordered {
    async fn on(database: &TestDatabase) -> Self {
        let (log, stop) = (database.log().await, CancellationToken::new());
        let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
        Self { log, stop, leading }
    }

    /// Stores `count` requests and waits until they have their places.
    async fn append(&self, count: i64) {
        let size = self.log.size().await.unwrap() + count.cast_unsigned();
        self.log.append(&requests(count), &[], NOW).await.unwrap();
        let log = &self.log;
        eventually("the events have their places", || async move {
            (log.size().await.unwrap() == size).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.leading.await.unwrap();
    }
}

/// A tail as its reader sees it.
struct Stream {
    body: Body,
    text: String,
}

/// A frame's fields.
#[derive(Debug, Default)]
struct Frame {
    id: String,
    name: String,
    data: Value,
}

impl Stream {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    async fn open(api: &TestApi, query: &str, last: Option<&str>) -> Self {
        Self::of(opened(api, query, last).await)
    }

    /// The next frame that says something; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let mut fields = Frame::default();
                for line in frame.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => fields.id = id.into(),
                        Some(("event", name)) => fields.name = name.into(),
                        Some(("data", data)) => fields.data = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                self.text = rest.to_owned();
                if !fields.data.is_null() {
                    return Some(fields);
                }
                continue;
            }
            let waiting = tokio::time::timeout(Duration::from_secs(30), self.body.frame());
            let bytes = waiting
                .await
                .expect("no frame came")?
                .unwrap()
                .into_data()
                .unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

async fn opened(api: &TestApi, query: &str, last: Option<&str>) -> Response {
    let mut request = Request::get(format!("/v1/events/stream?{query}"))
        .header("authorization", format!("Bearer {}", api.token("audit:read")));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    api.begin(request.body(Body::empty()).unwrap()).await
}

async fn a_tail_tells_what_is_stored_from_then_on_and_meets_its_filter(database: &TestDatabase) {
    let ordered = Ordered::on(database).await;
    let api = TestApi::on(ordered.log.clone());
    ordered.append(3).await;
    let mut all = Stream::open(&api, "after=0", None).await;
    for position in ["1", "2"] {
        assert_eq!(all.next().await.unwrap().id, position);
    }
    let mut denied = Stream::open(&api, "q=outcome:denied", None).await;

    let mut facts = request_facts();
    facts.outcome = Outcome::Denied;
    let batch = [
        arrival(event(at(5), request_facts())),
        arrival(event(at(6), facts)),
    ];
    ordered.log.append(&batch, &[], NOW).await.unwrap();

    let frame = denied.next().await.unwrap();
    assert_eq!(frame.id, "4");
    assert_eq!(frame.data["position"], 4);
    assert_eq!(frame.data["outcome"], "denied");
    assert_eq!(frame.data["id"], batch[1].event.id.to_string());
    ordered.end().await;
}

async fn a_tail_that_comes_back_goes_on_where_it_was(database: &TestDatabase) {
    let ordered = Ordered::on(database).await;
    let api = TestApi::on(ordered.log.clone());
    ordered.append(10).await;
    let mut stream = Stream::open(&api, "after=0", None).await;
    let mut last = String::new();
    for _ in 0..4 {
        last = stream.next().await.unwrap().id;
    }
    drop(stream);
    ordered.log.append(&requests(1), &[], NOW).await.unwrap();

    // `after` is what the page asked for at first; where the browser was counts more.
    let mut stream = Stream::open(&api, "after=0", Some(&last)).await;

    for position in 5..=10 {
        assert_eq!(stream.next().await.unwrap().id, position.to_string());
    }
    let refused = opened(&api, "", Some("x")).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    ordered.end().await;
}

async fn a_slow_reader_misses_nothing(database: &TestDatabase) {
    let ordered = Ordered::on(database).await;
    let api = TestApi::on(ordered.log.clone());
    let mut stream = Stream::open(&api, "", None).await;
    for _ in 0..6 {
        ordered.log.append(&requests(150), &[], NOW).await.unwrap();
    }

    for position in 0..900 {
        assert_eq!(stream.next().await.unwrap().id, position.to_string());
    }
    ordered.end().await;
}

async fn a_tail_ends_with_its_session_its_token_or_the_process(database: &TestDatabase) {
    let log = database.log().await;
    for (name, reason) in [
        ("session", "token_revoked"),
        ("token", "token_expired"),
        ("process", "stopping"),
    ] {
        let api = TestApi::on(log.clone());
        let mut stream = Stream::open(&api, "", None).await;

        match name {
            "session" => api.revoke_session(),
            "token" => api.clock.advance(Duration::from_mins(15)),
            _ => api.stopping.cancel(),
        }

        let end = stream.next().await.unwrap();
        assert_eq!(
            (end.name.as_str(), &end.data["reason"]),
            ("end", &reason.into()),
            "{name}"
        );
        assert!(stream.next().await.is_none(), "{name}");
    }
}

async fn tails_do_not_show_themselves_and_their_number_is_bounded(database: &TestDatabase) {
    let ordered = Ordered::on(database).await;
    let mut api = TestApi::on(ordered.log.clone());
    let mut first = Stream::open(&api, "", None).await;
    let second = Stream::open(&api, "", None).await;
    let read_of = |route: &str| {
        let mut facts = Facts::new(Class::Admin, action::SENSITIVE_READ, Outcome::Granted);
        facts.http = Some(HttpFacts {
            route: Some(route.into()),
            ..HttpFacts::default()
        });
        arrival(event_of("audit-collector", at(1), facts))
    };
    let batch = [read_of("/v1/events/stream"), read_of("/v1/events")];
    ordered.log.append(&batch, &[], NOW).await.unwrap();

    assert_eq!(first.next().await.unwrap().id, "1");
    let refused = opened(&api, "", None).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(second);
    assert_eq!(opened(&api, "", None).await.status(), StatusCode::OK);
    // Each was recorded as it began.
    let recorded = api.recorded_read().await;
    let http = recorded.facts.http.unwrap();
    assert_eq!(http.route.unwrap(), "/v1/events/stream");
    ordered.end().await;
}
