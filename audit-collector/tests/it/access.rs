//! Who may read, and that every read is an event.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use shared::event::{Class, Identity, Outcome};
use url::form_urlencoded;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, requests};

#[tokio::test]
async fn a_page_of_events_is_answered_and_the_read_recorded() {
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    log.append(&requests(3), &[], NOW).await.unwrap();
    let mut api = TestApi::on(log);

    let answer = api.get("/v1/events?user=alice&limit=2").await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let event = &answer.body["events"][0];
    assert_eq!(event["time"], "2026-01-15T00:00:02.000000Z");
    assert_eq!(event["recorded_at"], "2026-01-15T00:00:00.000000Z");
    assert_eq!(event["source"]["service"], "api-service");
    assert_eq!(event["actor"]["username"], "alice");
    assert!(answer.body["next_cursor"].is_string());
    let read = api.recorded_read().await;
    assert_eq!(
        (read.facts.class, read.facts.outcome),
        (Class::Admin, Outcome::Granted)
    );
    assert_eq!(read.facts.actor.username.as_deref(), Some("auditor"));
    assert_eq!(read.facts.actor.identity, Identity::Verified);
    assert_eq!(read.facts.detail["filter"], json!({"user": "alice"}));
    assert_eq!(read.facts.detail["rows"], 2);
    let http = read.facts.http.unwrap();
    assert_eq!(
        (http.route.as_deref(), http.status),
        (Some("/v1/events"), Some(200))
    );
    assert_eq!(read.facts.client.unwrap().ip.as_deref(), Some("203.0.113.5"));
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(read.facts.trace.unwrap().request_id, request_id);
}

#[tokio::test]
async fn what_was_asked_is_recorded_whole_however_long_it_is() {
    let database = TestDatabase::sqlite();
    let mut api = TestApi::on(database.log().await);
    // Of what takes the most room in an event.
    let strange = |bytes: usize| "\u{1}".repeat(bytes);
    let asked = json!({
        "q": format!("\"{}\"", strange(2046)),
        "sub": strange(1024), "sid": strange(1024), "jti": strange(1024), "path": strange(1024), "route": strange(1000),
    });
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in asked.as_object().unwrap() {
        query.append_pair(name, value.as_str().unwrap());
    }

    let answer = api.get(&format!("/v1/events?{}", query.finish())).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(api.recorded_read().await.facts.detail["filter"], asked);
}

#[tokio::test]
async fn one_event_is_answered_by_its_id() {
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    let batch = requests(1);
    log.append(&batch, &[], NOW).await.unwrap();
    let mut api = TestApi::on(log);
    let id = batch[0].event.id;

    let found = api.get(&format!("/v1/events/{id}")).await;
    let unknown = api.get("/v1/events/01900000-0000-7000-8000-000000000000").await;
    let garbage = api.get("/v1/events/1%27--").await;

    assert_eq!((found.status, &found.body["id"]), (StatusCode::OK, &json!(id)));
    assert_eq!(api.recorded_read().await.facts.detail["rows"], 1);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.body["code"], "event_not_found");
    assert_eq!(api.recorded_read().await.facts.detail["rows"], 0);
    assert_eq!(garbage.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_summary_is_answered_and_recorded() {
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    log.append(&requests(3), &[], NOW).await.unwrap();
    let mut api = TestApi::on(log);

    let answer = api.get("/v1/stats/summary?from=2026-01-15T00:00:01Z").await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["events"], 2);
    assert_eq!(answer.body["top_users"], json!([{"value": "alice", "events": 2}]));
    assert_eq!(answer.body["to"], json!(null));
    let read = api.recorded_read().await;
    assert_eq!(
        read.facts.detail["filter"],
        json!({"from": "2026-01-15T00:00:01Z"})
    );
}

#[tokio::test]
async fn a_refused_read_is_challenged_and_recorded() {
    let database = TestDatabase::sqlite();
    let mut api = TestApi::on(database.log().await);
    let (narrow, foreign) = (api.token("orders"), api.token_with("audit:read", "orders"));
    let good = api.token("audit:read");
    let broken = format!("{good}x");
    let cases = [
        (None, 401, "token_missing", "Bearer realm=\"gatelog\""),
        (
            Some(broken.as_str()),
            401,
            "token_signature_invalid",
            "error=\"invalid_token\"",
        ),
        (
            Some(foreign.as_str()),
            401,
            "token_audience_refused",
            "error=\"invalid_token\"",
        ),
        (
            Some(narrow.as_str()),
            403,
            "insufficient_scope",
            "scope=\"audit:read\"",
        ),
    ];

    for (token, status, code, challenge) in cases {
        let answer = api.get_as("/v1/events", token).await;

        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (status, &json!(code))
        );
        let given = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(given.contains(challenge), "{given}");
        let read = api.recorded_read().await;
        assert_eq!(read.facts.outcome, Outcome::Denied, "{code}");
        assert_eq!(read.facts.reason.as_deref(), Some(code));
        assert_eq!(
            answer.body["request_id"],
            json!(read.facts.trace.unwrap().request_id)
        );
    }
}

#[tokio::test]
async fn a_revoked_token_reads_nothing() {
    let database = TestDatabase::sqlite();
    let mut api = TestApi::on(database.log().await);
    let token = api.token("audit:read");
    assert_eq!(
        api.get_as("/v1/events", Some(&token)).await.status,
        StatusCode::OK
    );

    api.revoke_session();
    let answer = api.get_as("/v1/events", Some(&token)).await;

    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["code"], "token_revoked");
    api.recorded_read().await;
    assert_eq!(
        api.recorded_read().await.facts.reason.as_deref(),
        Some("token_revoked")
    );
}

#[tokio::test]
async fn without_word_of_revocations_nothing_is_read() {
    let database = TestDatabase::sqlite();
    let api = TestApi::on(database.log().await);
    api.clock.advance(Duration::from_secs(6));

    let answer = api.get("/v1/events").await;
    let ready = api.get_as("/readyz", None).await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["code"], "revocations_unknown");
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body["checks"]["revocations"], false);
    assert_eq!(ready.body["checks"]["database"], true);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_told() {
    let database = TestDatabase::sqlite();
    let log = database.log().await;
    log.append(&requests(1), &[], NOW).await.unwrap();
    // Room for the spool's first event and no other.
    let api = TestApi::with_spool(log, 600);

    for token in [Some(api.token("audit:read")), None] {
        let answer = api.get_as("/v1/events", token.as_deref()).await;

        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body["code"], "audit_unavailable");
        assert!(answer.body["events"].is_null());
    }
}

#[tokio::test]
async fn bad_questions_are_answered_with_what_is_wrong() {
    let database = TestDatabase::sqlite();
    let api = TestApi::on(database.log().await);
    let cursor_of_another = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    for (path, part) in [
        ("/v1/events?usr=alice".to_owned(), "`usr`"),
        ("/v1/events?sub=a&sub=b".to_owned(), "`sub`"),
        ("/v1/events?limit=1000".to_owned(), "`limit`"),
        ("/v1/events?from=now".to_owned(), "`from`"),
        (format!("/v1/events?cursor={cursor_of_another}"), "`cursor`"),
        ("/v1/stats/summary?sbu=alice".to_owned(), "`sbu`"),
    ] {
        let answer = api.get(&path).await;

        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["code"], "parameter_invalid");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_too() {
    let database = TestDatabase::sqlite();
    let api = TestApi::on(database.log().await);

    let nowhere = api.get("/v2/events").await;
    let posted = api
        .send(Request::post("/v1/events").body(Body::empty()).unwrap())
        .await;

    assert_eq!(
        (nowhere.status, &nowhere.body["code"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(posted.body["code"], "method_not_allowed");
}

#[tokio::test]
async fn readiness_names_each_part() {
    let database = TestDatabase::sqlite();
    let api = TestApi::on(database.log().await);

    assert_eq!(api.get_as("/readyz", None).await.status, StatusCode::OK);
    api.consuming.send_replace(false);
    let waiting = api.get_as("/readyz", None).await;

    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.body["checks"]["consumer"], false);
    assert_eq!(api.get_as("/healthz", None).await.status, StatusCode::OK);
}
