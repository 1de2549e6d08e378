//! Dead letters over HTTP: shown as they came, replayed when they are events, dropped with a reason.

use audit_collector::dead_letter::DeadLetter;
use audit_collector::event_log::EventLog;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use serde_json::json;
use shared::event::{Event, Outcome, action, wire};

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, at, event, request_facts};

on_both_databases!(
    letters_are_listed_by_pages_and_shown_as_they_came,
    a_letter_that_is_an_event_now_is_stored_and_removed,
    a_letter_that_is_still_poison_stays_and_the_answer_says_why,
    a_letter_is_dropped_with_a_reason_and_by_those_who_may,
    many_are_replayed_at_once_and_what_is_still_poison_stays,
    many_are_dropped_at_once_and_the_others_stay,
    a_change_to_many_names_which,
);

fn letter(reason: &'static str, publisher: &str, body: impl Into<Bytes>) -> DeadLetter {
    DeadLetter {
        reason,
        publisher: Some(publisher.into()),
        body: body.into(),
    }
}

async fn keep(log: &EventLog, letters: &[DeadLetter]) {
    for (second, letter) in (0..).zip(letters) {
        log.append(&[], std::slice::from_ref(letter), at(second))
            .await
            .unwrap();
    }
}

async fn send(api: &TestApi, method: Method, path: &str, scope: &str) -> Answer {
    let token = api.token(scope);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"));
    api.send(request.body(Body::empty()).unwrap()).await
}

async fn id_of(api: &TestApi, reason: &str) -> String {
    let listed = api.get(&format!("/v1/dead-letters?reason={reason}")).await;
    listed.body["dead_letters"][0]["id"].as_str().unwrap().to_owned()
}

/// The next record of something else than a read.
async fn recorded_act(api: &mut TestApi) -> Event {
    api.recorded_event(|event| event.facts.action != action::SENSITIVE_READ)
        .await
}

async fn letters_are_listed_by_pages_and_shown_as_they_came(database: &TestDatabase) {
    let log = database.log().await;
    let hostile = "'; DROP TABLE dead_letter; --\u{1b}[2J\0";
    let letters = [
        letter("malformed", "api-service", hostile),
        letter("malformed", "api-service", &b"\xff\xfe"[..]),
        letter("oversized", "api-service", vec![b'x'; 100_000]),
    ];
    keep(&log, &letters).await;
    let mut api = TestApi::on(log);

    let first = api.get("/v1/dead-letters?limit=2").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = api
        .get(&format!("/v1/dead-letters?limit=2&cursor={cursor}"))
        .await;

    let listed = first.body["dead_letters"].as_array().unwrap();
    assert_eq!(
        (&listed[0]["reason"], &listed[0]["is_whole"]),
        (&"oversized".into(), &false.into())
    );
    assert_eq!(
        (&listed[0]["bytes"], &listed[0]["body"]),
        (&100_000.into(), &().into())
    );
    assert_eq!(second.body["dead_letters"].as_array().unwrap().len(), 1);
    assert!(second.body["next_cursor"].is_null());
    assert_eq!(api.recorded_read().await.facts.detail["rows"], 2);
    let shown = async |listed: &serde_json::Value| {
        let id = listed["id"].as_str().unwrap();
        api.get(&format!("/v1/dead-letters/{id}")).await.body["body"].clone()
    };
    assert_eq!(shown(&second.body["dead_letters"][0]).await["text"], hostile);
    assert_eq!(shown(&listed[1]).await["base64"], "//4=");
    let unknown = api
        .get("/v1/dead-letters/01900000-0000-7000-8000-000000000000")
        .await;
    assert_eq!(
        (unknown.status, &unknown.body["code"]),
        (StatusCode::NOT_FOUND, &"dead_letter_not_found".into())
    );
}

async fn a_letter_that_is_an_event_now_is_stored_and_removed(database: &TestDatabase) {
    let log = database.log().await;
    let good = event(NOW, request_facts());
    keep(
        &log,
        &[letter(
            "unknown_version",
            "api-service",
            wire::encode(&good).unwrap(),
        )],
    )
    .await;
    let mut api = TestApi::on(log);
    let path = format!("/v1/dead-letters/{}/replay", id_of(&api, "unknown_version").await);

    let refused = send(&api, Method::POST, &path, "audit:read").await;
    let replayed = send(&api, Method::POST, &path, "audit:respond").await;
    let again = send(&api, Method::POST, &path, "audit:respond").await;

    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &"insufficient_scope".into())
    );
    assert_eq!(
        (replayed.status, &replayed.body["event"]),
        (StatusCode::OK, &good.id.to_string().into())
    );
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    let act = recorded_act(&mut api).await;
    assert_eq!(
        (act.facts.action.as_str(), act.facts.outcome),
        (action::DEAD_LETTER_REPLAYED, Outcome::Success)
    );
    assert_eq!(act.facts.detail["before"]["reason"], "unknown_version");
    assert_eq!(act.facts.detail["after"]["event"], good.id.to_string());
}

async fn a_letter_that_is_still_poison_stays_and_the_answer_says_why(database: &TestDatabase) {
    let log = database.log().await;
    let stranger = wire::encode(&event(NOW, request_facts())).unwrap();
    let letters = [
        letter("malformed", "api-service", "garbage"),
        letter("publisher_mismatch", "auth-service", stranger),
        letter("oversized", "api-service", vec![b'x'; 100_000]),
    ];
    keep(&log, &letters).await;
    let mut api = TestApi::on(log);

    for (reason, code, word) in [
        ("malformed", "dead_letter_refused", "malformed"),
        ("publisher_mismatch", "dead_letter_refused", "publisher_mismatch"),
        ("oversized", "dead_letter_cut", "part"),
    ] {
        let path = format!("/v1/dead-letters/{}/replay", id_of(&api, reason).await);
        let answer = send(&api, Method::POST, &path, "audit:respond").await;

        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::CONFLICT, &code.into())
        );
        assert!(answer.body["detail"].as_str().unwrap().contains(word), "{reason}");
        assert_eq!(recorded_act(&mut api).await.facts.reason.as_deref(), Some(code));
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 3);
    assert_eq!(
        database
            .number("SELECT COUNT(*) FROM dead_letter WHERE times > 1")
            .await,
        0
    );
}

async fn a_letter_is_dropped_with_a_reason_and_by_those_who_may(database: &TestDatabase) {
    let log = database.log().await;
    keep(&log, &[letter("malformed", "api-service", "garbage")]).await;
    let mut api = TestApi::on(log);
    let path = format!("/v1/dead-letters/{}", id_of(&api, "malformed").await);
    let with_reason = format!("{path}?because=a+test+of+the+broker");

    assert_eq!(
        send(&api, Method::DELETE, &with_reason, "audit:read")
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(&api, Method::DELETE, &path, "audit:respond").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 1);
    let dropped = send(&api, Method::DELETE, &with_reason, "audit:respond").await;

    assert_eq!(dropped.status, StatusCode::NO_CONTENT);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
    let act = recorded_act(&mut api).await;
    assert_eq!(act.facts.action, action::DEAD_LETTER_DROPPED);
    assert_eq!(act.facts.detail["after"]["because"], "a test of the broker");
}

/// Two that are events by now, one that is none, and one of somebody else.
async fn keep_mixed(log: &EventLog) {
    let event_at = |second| wire::encode(&event(at(second), request_facts())).unwrap();
    let letters = [
        letter("unknown_version", "api-service", event_at(1)),
        letter("unknown_version", "api-service", event_at(2)),
        letter("unknown_version", "api-service", "garbage"),
        letter("malformed", "auth-service", "other garbage"),
    ];
    keep(log, &letters).await;
}

async fn many_are_replayed_at_once_and_what_is_still_poison_stays(database: &TestDatabase) {
    let log = database.log().await;
    keep_mixed(&log).await;
    let mut api = TestApi::on(log);
    let path = "/v1/dead-letters/replay?reason=unknown_version";

    let refused = send(&api, Method::POST, path, "audit:read").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let dry = send(
        &api,
        Method::POST,
        &format!("{path}&dry_run=true"),
        "audit:respond",
    )
    .await;
    let expected = json!({
        "dry_run": true, "matched": 3, "done": 2, "refused": {"malformed": 1}, "more": false
    });
    assert_eq!(dry.body, expected);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 4);
    let read = api
        .recorded_event(|event| event.facts.outcome == Outcome::Granted)
        .await;
    assert_eq!(
        (&read.facts.detail["rows"], &read.facts.detail["filter"]["reason"]),
        (&3.into(), &"unknown_version".into())
    );

    let done = send(&api, Method::POST, path, "audit:respond").await;

    assert_eq!(done.body["done"], 2);
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 2);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 2);
    let outcomes = [
        recorded_act(&mut api).await.facts.outcome,
        recorded_act(&mut api).await.facts.outcome,
        recorded_act(&mut api).await.facts.outcome,
    ];
    assert_eq!(outcomes, [Outcome::Failure, Outcome::Success, Outcome::Success]);
}

async fn many_are_dropped_at_once_and_the_others_stay(database: &TestDatabase) {
    let log = database.log().await;
    keep_mixed(&log).await;
    let mut api = TestApi::on(log);
    let path = "/v1/dead-letters/drop?publisher=auth-service&because=a+test";

    let dry = send(
        &api,
        Method::POST,
        &format!("{path}&dry_run=true"),
        "audit:respond",
    )
    .await;
    assert_eq!((&dry.body["matched"], &dry.body["done"]), (&1.into(), &1.into()));
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 4);
    let done = send(&api, Method::POST, path, "audit:respond").await;

    assert_eq!(done.body["done"], 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 3);
    let act = recorded_act(&mut api).await;
    assert_eq!(act.facts.action, action::DEAD_LETTER_DROPPED);
    assert_eq!(act.facts.detail["before"]["publisher"], "auth-service");
}

async fn a_change_to_many_names_which(database: &TestDatabase) {
    let log = database.log().await;
    keep_mixed(&log).await;
    let api = TestApi::on(log);

    for path in [
        "/v1/dead-letters/replay",
        "/v1/dead-letters/drop?because=all",
        "/v1/dead-letters/drop?reason=malformed",
        "/v1/dead-letters/replay?reason=malformed&dry_run=perhaps",
        "/v1/dead-letters/replay?reason=malformed&because=x",
    ] {
        let answer = send(&api, Method::POST, path, "audit:respond").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.body);
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 4);
}
