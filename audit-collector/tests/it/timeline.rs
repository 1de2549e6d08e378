//! The life of a session, from its sign-in to the first refusal.

use audit_collector::event_log::Arrival;
use axum::http::StatusCode;
use serde_json::Value;
use shared::event::{Class, Facts, Outcome, action};

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event_of, request_facts};

on_both_databases!(
    a_session_is_told_from_its_sign_in_to_the_first_refusal,
    a_token_is_told_with_the_session_around_it,
    a_life_is_paged_and_only_its_first_page_has_a_summary,
    a_timeline_of_nobody_is_empty_and_a_wrong_one_is_refused,
);

fn of_auth(name: &str, outcome: Outcome, jti: Option<&str>) -> Facts {
    let mut facts = Facts::new(Class::Auth, name, outcome);
    facts.actor = request_facts().actor;
    facts.actor.jti = jti.map(str::to_owned);
    facts.client = request_facts().client;
    facts.client.as_mut().unwrap().user_agent = Some("curl/8".into());
    facts
}

fn call(jti: &str, ip: &str, denied: bool) -> Facts {
    let mut facts = request_facts();
    facts.actor.jti = Some(jti.into());
    facts.client.as_mut().unwrap().ip = Some(ip.into());
    if denied {
        facts.outcome = Outcome::Denied;
        facts.reason = Some("token_revoked".into());
    }
    facts
}

/// A sign-in, a token and its calls, a refresh and more calls, an end by an administrator, and what came after.
fn life() -> Vec<Arrival> {
    let minted = |jti: &str| {
        of_auth(action::AUTHN_TOKEN_CREATED, Outcome::Success, Some(jti))
            .with_detail("jti", jti)
            .with_detail("expires_at", "2026-01-15T00:10:00.000000Z")
    };
    let mut revoked = of_auth(action::AUTHN_TOKEN_REVOKED, Outcome::Success, None)
        .because("admin")
        .with_detail("sid", "ses_1");
    revoked.actor.sub = Some("usr_root".into());
    revoked.actor.username = Some("root".into());
    revoked.actor.sid = Some("ses_root".into());
    revoked.actor.jti = Some("jti_root".into());
    let client = revoked.client.as_mut().unwrap();
    client.ip = Some("198.51.100.1".into());
    client.user_agent = Some("administration/1".into());
    // Of another session, by the same administrator.
    let other = {
        let mut other = revoked.clone();
        other.detail.insert("sid".into(), "ses_10".into());
        other
    };
    let mut stranger = call("jti_9", "203.0.113.9", false);
    stranger.actor.sid = Some("ses_9".into());
    [
        (0, of_auth(action::AUTHN_LOGIN_SUCCESS, Outcome::Success, None)),
        (1, minted("jti_1")),
        (2, call("jti_1", "192.0.2.7", false)),
        (3, call("jti_1", "192.0.2.7", false)),
        (4, minted("jti_2").with_detail("refresh", "rotate")),
        (5, call("jti_2", "10.0.0.1", false)),
        (6, stranger),
        (7, other),
        (8, revoked),
        (9, call("jti_2", "10.0.0.1", true)),
        (10, call("jti_2", "10.0.0.1", true)),
    ]
    .into_iter()
    .map(|(second, facts)| arrival(event_of("auth-service", at(second), facts)))
    .collect()
}

async fn told(database: &TestDatabase, query: &str) -> Value {
    let log = database.log().await;
    log.append(&life(), &[], NOW).await.unwrap();
    let answer = TestApi::on(log).get(&format!("/v1/timeline?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn a_session_is_told_from_its_sign_in_to_the_first_refusal(database: &TestDatabase) {
    let story = told(database, "sid=ses_1").await;

    let actions: Vec<_> = story["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "authn_login_success",
            "authn_token_created",
            "api_request",
            "api_request",
            "authn_token_created",
            "api_request",
            "authn_token_revoked",
            "api_request",
            "api_request",
        ]
    );
    let summary = &story["summary"];
    assert_eq!(summary["complete"], true);
    assert_eq!(summary["events"], 9);
    assert_eq!(summary["sign_in"]["time"], "2026-01-15T00:00:00.000000Z");
    assert_eq!(summary["calls"]["granted"], 3);
    assert_eq!(summary["calls"]["denied"], 2);
    assert_eq!(summary["refreshes"], 1);
    assert_eq!(summary["tokens"][0]["jti"], "jti_1");
    assert_eq!(summary["tokens"][0]["calls"]["granted"], 2);
    assert_eq!(summary["tokens"][1]["refreshed"], true);
    assert_eq!(summary["tokens"][1]["calls"]["denied"], 2);
    // Whoever ended it is named by the end alone.
    let values = |list: &str, name: &str| -> Vec<_> {
        let list = summary[list].as_array().unwrap().iter();
        list.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(values("tokens", "jti"), ["jti_1", "jti_2"]);
    assert_eq!(values("places", "value"), ["192.0.2.7", "10.0.0.1"]);
    assert_eq!(values("programs", "value"), ["curl/8"]);
    assert_eq!(values("users", "value"), ["alice"]);
    assert_eq!(summary["end"]["reason"], "admin");
    assert_eq!(summary["end"]["by"], "root");
    assert_eq!(summary["first_refusal"]["time"], "2026-01-15T00:00:09.000000Z");
    assert_eq!(summary["first_refusal"]["reason"], "token_revoked");
}

async fn a_token_is_told_with_the_session_around_it(database: &TestDatabase) {
    let story = told(database, "jti=jti_2&to=2026-01-15T00:00:09Z").await;

    assert_eq!(story["summary"]["sid"], "ses_1");
    assert_eq!(story["summary"]["events"], 7);
    assert_eq!(story["events"][0]["action"], "authn_login_success");
}

async fn a_life_is_paged_and_only_its_first_page_has_a_summary(database: &TestDatabase) {
    let log = database.log().await;
    log.append(&life(), &[], NOW).await.unwrap();
    let api = TestApi::on(log);

    let mut seen = Vec::new();
    let mut query = "sid=ses_1&limit=2".to_owned();
    loop {
        let page = api.get(&format!("/v1/timeline?{query}")).await.body;
        assert_eq!(page["summary"].is_null(), !seen.is_empty());
        seen.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["time"].to_string()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("sid=ses_1&limit=2&cursor={cursor}");
    }

    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted());
}

async fn a_timeline_of_nobody_is_empty_and_a_wrong_one_is_refused(database: &TestDatabase) {
    let story = told(database, "sub=nobody").await;

    assert_eq!(story["events"], serde_json::json!([]));
    assert_eq!(story["summary"]["events"], 0);
    let api = TestApi::on(database.log().await);
    let answer = api.get("/v1/timeline?sid=a&sub=b").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["parameter"], "sid");
}
