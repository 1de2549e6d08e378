//! What other services report: kept as events of their own, under the reporter's name and never the door's.

use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::event::{Class, Event, Identity, Outcome, Reporter, action};

use crate::harness::{Answer, Limits, TestDoor};

/// A door that takes large bodies.
async fn door() -> TestDoor {
    limited(Limits::default()).await
}

async fn limited(limits: Limits) -> TestDoor {
    TestDoor::start_with("", limits, |settings| settings.body_max_bytes = 1 << 20).await
}

fn token_of(door: &TestDoor, client: &str) -> String {
    let claims = door
        .issuer
        .claims()
        .with("aud", "gatelog")
        .with("scope", "audit:write");
    door.issuer
        .mint(&claims.with("sub", client).with("client_id", client))
}

fn entry(id: &str) -> Value {
    json!({
        "id": id, "time": "2026-01-31T12:00:00.5Z", "outcome": "denied", "reason": "insufficient_scope",
        "actor": {"sub": "usr_9", "username": "carol", "client_id": "app", "sid": "ses_9", "jti": "tok_9"},
        "client": {"ip": "198.51.100.7", "user_agent": "curl/8"},
        "http": {"method": "POST", "host": "orders", "route": "/orders/{id}", "path": "/orders/7?token=s3cret",
                 "status": 403, "duration_us": 1200, "request_bytes": 2, "response_bytes": 80},
        "trace": {"request_id": "req-1"},
        "detail": {"order": 7, "why": "closed"},
    })
}

async fn report_as(door: &TestDoor, token: &str, body: &Value) -> Answer {
    let request = Request::post("/v1/intake")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .unwrap();
    door.send(request).await
}

async fn report(door: &TestDoor, body: &Value) -> Answer {
    report_as(door, &token_of(door, "cli_orders"), body).await
}

/// The reported events after the event of the request that brought them, in order.
async fn reported(door: &TestDoor, answer: &Answer) -> Vec<Event> {
    door.event_of(answer, action::API_REQUEST).await;
    door.collector
        .matching(|event| event.facts.action == action::REPORTED_REQUEST)
}

#[tokio::test]
async fn a_report_is_an_event_of_its_own_and_says_whose_word_it_is() {
    let door = door().await;

    let answer = report(&door, &entry("a")).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({"taken": 1, "refused": []}));
    assert!(answer.header("ratelimit-policy").contains("client 100/s"));
    let own = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(own.facts.policy.unwrap().route.as_deref(), Some("intake"));
    assert_eq!(
        (own.facts.actor.identity, own.facts.reporter),
        (Identity::Verified, None)
    );
    let [event] = reported(&door, &answer).await.try_into().unwrap();
    assert_eq!(event.source, own.source);
    assert!(
        event.seq < own.seq,
        "it is kept before the reporter has its answer"
    );
    assert_eq!(event.time.to_string(), "2026-01-31T12:00:00.500000Z");
    let facts = event.facts;
    assert_eq!((facts.class, facts.outcome), (Class::Access, Outcome::Denied));
    assert_eq!(facts.reason.as_deref(), Some("insufficient_scope"));
    assert_eq!(facts.actor.identity, Identity::Claimed);
    assert_eq!(facts.actor.sid.as_deref(), Some("ses_9"));
    let reporter = Reporter {
        iss: door.issuer.url.clone(),
        sub: "cli_orders".into(),
        client_id: Some("cli_orders".into()),
    };
    assert_eq!(facts.reporter, Some(reporter));
    assert_eq!((facts.policy, facts.token), (None, None));
    let http = facts.http.unwrap();
    assert_eq!((http.path.as_str(), http.status), ("/orders/7", Some(403)));
    assert_eq!(facts.trace.unwrap().request_id, "req-1");
    assert_eq!(facts.detail["order"], 7);
}

#[tokio::test]
async fn what_is_told_again_has_the_same_id_and_another_reporter_s_has_not() {
    let door = door().await;
    let again = json!([entry("a"), entry("b")]);

    report(&door, &entry("a")).await;
    report_as(&door, &token_of(&door, "cli_billing"), &entry("a")).await;
    let last = report(&door, &again).await;

    let events = reported(&door, &last).await;
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(events[0].facts, events[2].facts);
    assert!(ids[0] != ids[1] && ids[0] != ids[3] && ids[1] != ids[3]);
}

#[tokio::test]
async fn a_bad_entry_is_named_by_its_index_and_costs_no_other_one() {
    let door = door().await;
    let mut unknown = entry("c");
    unknown["identity"] = json!("verified");

    let answer = report(&door, &json!([entry("a"), {"id": "b"}, unknown, entry("d")])).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let told = answer.json();
    assert_eq!(told["taken"], 2);
    assert_eq!(told["refused"][0]["index"], 1);
    assert_eq!(told["refused"][0]["code"], "entry_malformed");
    assert!(
        told["refused"][1]["detail"]
            .as_str()
            .unwrap()
            .contains("`identity`"),
        "{told}"
    );
    assert_eq!(reported(&door, &answer).await.len(), 2);
}

#[tokio::test]
async fn nobody_reports_in_another_s_name_or_as_the_door() {
    let door = door().await;
    for (member, value) in [
        ("reporter", json!({"sub": "cli_billing"})),
        ("class", json!("auth")),
        ("action", json!("api_request")),
        ("identity", json!("verified")),
        ("source", json!("/api-service/a/b")),
        ("policy", json!({"door": "proxy"})),
    ] {
        let mut forged = entry("a");
        forged[member] = value;

        let answer = report(&door, &forged).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{member}");
        assert_eq!(answer.json()["code"], "report_refused");
        assert_eq!(reported(&door, &answer).await.len(), 0, "{member}");
    }
}

#[tokio::test]
async fn only_a_service_that_may_write_to_the_log_is_heard() {
    let door = door().await;
    let claims = || door.issuer.claims().with("aud", "gatelog");
    let for_apis = door
        .issuer
        .mint(&door.issuer.claims().with("scope", "audit:write"));
    let reader = door.issuer.mint(&claims().with("scope", "audit:read"));

    let foreign = report_as(&door, &for_apis, &entry("a")).await;
    let narrow = report_as(&door, &reader, &entry("a")).await;

    assert_eq!(foreign.json()["code"], "token_audience_refused");
    assert_eq!(narrow.json()["code"], "insufficient_scope");
    assert!(narrow.header("www-authenticate").contains("audit:write"));
    assert_eq!(reported(&door, &narrow).await.len(), 0);
}

#[tokio::test]
async fn a_spool_without_room_for_all_of_a_report_takes_nothing_of_it() {
    let limits = Limits {
        spool_max_bytes: 32 * 1024,
        ..Limits::default()
    };
    let door = limited(limits).await;
    let many: Vec<_> = (0..20).map(|index| entry(&index.to_string())).collect();

    let refused = report(&door, &json!(many)).await;
    let taken = report(&door, &entry("a")).await;

    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["code"], "audit_unavailable");
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    assert_eq!(reported(&door, &taken).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let door = door().await;
    let token = token_of(&door, "cli_orders");
    let large = "x".repeat(300 * 1024);
    for (content_type, body, status, code) in [
        ("text/plain", "{}", 415, "unsupported_media_type"),
        ("application/json", "", 400, "body_malformed"),
        ("application/json", "[]", 400, "report_empty"),
        ("application/json", large.as_str(), 413, "body_too_large"),
        ("application/json; charset=utf-8", "{}", 422, "report_refused"),
    ] {
        let request = Request::post("/v1/intake")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", content_type)
            .body(body.to_owned().into())
            .unwrap();

        let answer = door.send(request).await;

        assert_eq!(answer.status.as_u16(), status, "{code}");
        assert_eq!(answer.json()["code"], code);
    }
}

#[tokio::test]
async fn what_strangers_sent_to_a_service_is_cut_to_length() {
    let door = door().await;
    let mut long = entry("a");
    long["http"]["path"] = format!("/{}", "ä".repeat(1000)).into();
    long["client"]["user_agent"] = "a\u{7}\n".repeat(300).into();

    let answer = report(&door, &long).await;

    let [event] = reported(&door, &answer).await.try_into().unwrap();
    assert!(event.facts.http.unwrap().path.len() <= 1024);
    assert!(event.facts.client.unwrap().user_agent.unwrap().len() <= 512);
}
