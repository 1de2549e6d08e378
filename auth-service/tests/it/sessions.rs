//! Sessions as their users see and end them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD, json_request, unverified_claims};

const DAY: Duration = Duration::from_hours(24);

async fn sessions(harness: &Harness, token: &str) -> Vec<Value> {
    let answer = harness.get_as("/v1/sessions", token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["sessions"].as_array().unwrap().clone()
}

async fn delete(harness: &Harness, path: &str, token: &str) -> Answer {
    let request = Request::delete(path).header("authorization", format!("Bearer {token}"));
    harness.send(request.body(Body::empty()).unwrap()).await
}

async fn log_in_with(harness: &Harness, username: &str, user_agent: &str) -> Answer {
    let mut request = json_request("/v1/login", &json!({"username": username, "password": PASSWORD}));
    request
        .headers_mut()
        .insert("user-agent", user_agent.parse().unwrap());
    harness.send_from([198, 51, 100, 7], request).await
}

pub(crate) fn sid(answer: &Answer) -> String {
    let claims = unverified_claims(&answer.text_of("access_token"));
    claims["sid"].as_str().unwrap().to_owned()
}

async fn is_alive(harness: &Harness, answer: &Answer) -> bool {
    let probe = harness
        .get_as("/v1/sessions", &answer.text_of("access_token"))
        .await;
    let refreshed = harness.refresh(&answer.text_of("refresh_token")).await;
    assert_eq!(probe.status == StatusCode::OK, refreshed.status == StatusCode::OK);
    probe.status == StatusCode::OK
}

async fn a_user_sees_its_own_sessions_and_nobody_else_s(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0";
    let first = log_in_with(&harness, "alice", firefox).await;
    harness.wait(Duration::from_mins(1));
    let second = log_in_with(&harness, "alice", "<script>alert(1)</script>").await;

    let listed = sessions(&harness, &second.text_of("access_token")).await;

    let ids: Vec<_> = listed
        .iter()
        .map(|session| session["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [sid(&second), sid(&first)]);
    assert_eq!(
        (&listed[0]["current"], &listed[1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(listed[1]["created"]["device"], "Firefox on Linux");
    assert_eq!(listed[1]["created"]["ip"], "198.51.100.7");
    assert_eq!(listed[0]["created"]["device"], Value::Null);
    assert_eq!(listed[0]["amr"], json!(["pwd"]));

    harness.wait(Duration::from_mins(1));
    harness.refresh(&first.text_of("refresh_token")).await;
    let listed = sessions(&harness, &second.text_of("access_token")).await;
    assert_eq!(listed[0]["id"], sid(&first).as_str());
    assert_eq!(listed[0]["last_used"]["ip"], "203.0.113.9");
    assert_ne!(listed[0]["last_used"]["at"], listed[0]["created"]["at"]);
}

async fn a_user_ends_one_of_its_sessions_and_cannot_end_another_s(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let (mine, other) = (harness.log_in("alice").await, harness.log_in("alice").await);
    let token = mine.text_of("access_token");
    let foreign = unverified_claims(&admin)["sid"].as_str().unwrap().to_owned();

    assert_eq!(
        delete(&harness, &format!("/v1/sessions/{foreign}"), &token)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        delete(&harness, "/v1/sessions/ses_none", &token).await.status,
        StatusCode::NOT_FOUND
    );
    let path = format!("/v1/sessions/{}", sid(&other));
    assert_eq!(
        delete(&harness, &path, &token).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        delete(&harness, &path, &token).await.status,
        StatusCode::NO_CONTENT
    );

    assert!(!is_alive(&harness, &other).await);
    assert!(is_alive(&harness, &mine).await);
    assert_eq!(
        harness.get_as("/v1/sessions", &admin).await.status,
        StatusCode::OK
    );
    let [revoked] = harness.events_of("authn_token_revoked").await.try_into().unwrap();
    assert_eq!(
        (&revoked["reason"], &revoked["detail"]["sid"]),
        (&json!("logout"), &json!(sid(&other)))
    );
}

async fn a_sign_out_ends_the_others_or_all(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let sessions = [
        harness.log_in("alice").await,
        harness.log_in("alice").await,
        harness.log_in("alice").await,
    ];
    let token = sessions[0].text_of("access_token");

    let others = harness
        .post_as("/v1/logout?scope=others", &token, &json!({}))
        .await;
    assert_eq!(others.status, StatusCode::NO_CONTENT);
    assert!(is_alive(&harness, &sessions[0]).await);
    assert!(!is_alive(&harness, &sessions[1]).await && !is_alive(&harness, &sessions[2]).await);

    let wrong = harness
        .post_as("/v1/logout?scope=everything", &token, &json!({}))
        .await;
    assert_eq!(wrong.code(), "query_invalid");
    let all = harness
        .post_as("/v1/logout?scope=global", &token, &json!({}))
        .await;
    assert_eq!(all.status, StatusCode::NO_CONTENT);
    assert!(!is_alive(&harness, &sessions[0]).await);
    assert_eq!(
        harness.get_as("/v1/sessions", &admin).await.status,
        StatusCode::OK
    );
}

async fn a_user_who_changes_its_password_keeps_the_session_that_it_asks_with_alone(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let (mine, other) = (harness.log_in("alice").await, harness.log_in("alice").await);
    let token = mine.text_of("access_token");
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "password": new});
        harness.post_as("/v1/password/change", &token, &body).await
    };

    let wrong = change("a wrong password here", "another horse battery staple").await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::UNAUTHORIZED, "bad_credentials")
    );
    assert_eq!(harness.last_event().await["action"], "authn_login_fail");
    assert_eq!(change(PASSWORD, "short").await.code(), "password_refused");
    let changed = change(PASSWORD, "another horse battery staple").await;

    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
    assert!(is_alive(&harness, &mine).await && !is_alive(&harness, &other).await);
    assert_eq!(
        change(PASSWORD, "yet another horse battery").await.code(),
        "bad_credentials"
    );
    let [event] = harness
        .events_of("authn_password_change")
        .await
        .into_iter()
        .filter(|event| event["detail"]["by"] == "current_password")
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(event["actor"]["username"], "alice");
    let unsigned = json!({"current_password": PASSWORD, "password": PASSWORD});
    assert_eq!(
        harness.post("/v1/password/change", &unsigned).await.status,
        StatusCode::UNAUTHORIZED
    );
}

async fn beyond_a_hundred_sessions_the_one_used_least_lately_ends(harness: Arc<Harness>) {
    harness.set_up().await;
    let first = harness.log_in("root").await;
    harness.sql(FILL).await;
    assert!(is_alive(&harness, &first).await);
    harness.wait(Duration::from_secs(1));

    let newest = harness.log_in("root").await;

    let token = newest.text_of("access_token");
    assert_eq!(sessions(&harness, &token).await.len(), 100);
    let revoked = harness.events_of("authn_token_revoked").await;
    assert!(
        revoked.iter().all(|event| event["reason"] == "too_many_sessions"),
        "{revoked:?}"
    );
    assert!(is_alive(&harness, &newest).await && is_alive(&harness, &first).await);
}

/// Copies the session that is there until there are more than may be, all of them used a while ago.
const FILL: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 110)
    INSERT INTO sessions (id, user_id, client_id, audience, amr, seed, counter, authenticated_at, rotated_at, created_at)
    SELECT id || '_' || n.n, user_id, client_id, audience, amr, seed, counter, authenticated_at, rotated_at - 1000000,
        created_at
    FROM sessions CROSS JOIN n WHERE id = (SELECT MIN(id) FROM sessions)";

async fn what_is_over_is_deleted_only_when_no_token_can_name_it_any_more(harness: Arc<Harness>) {
    harness.set_up().await;
    let session = harness.log_in("root").await;
    harness
        .post_as("/v1/logout", &session.text_of("access_token"), &json!({}))
        .await;
    let count = "SELECT COUNT(*) FROM sessions";
    let before = harness.number(count).await;

    harness.wait(DAY * 29);
    harness.service.upkeep().await;
    assert_eq!(harness.number(count).await, before);
    harness.refresh(&session.text_of("refresh_token")).await;
    assert_eq!(harness.last_event().await["reason"], "session_ended");
    assert_eq!(harness.number("SELECT COUNT(*) FROM enforcement").await, 0);

    harness.wait(DAY * 2);
    harness.service.upkeep().await;
    assert_eq!(harness.number(count).await, 0);
}

on_both_databases!(
    a_user_sees_its_own_sessions_and_nobody_else_s,
    a_user_ends_one_of_its_sessions_and_cannot_end_another_s,
    a_sign_out_ends_the_others_or_all,
    a_user_who_changes_its_password_keeps_the_session_that_it_asks_with_alone,
    beyond_a_hundred_sessions_the_one_used_least_lately_ends,
    what_is_over_is_deleted_only_when_no_token_can_name_it_any_more,
);
