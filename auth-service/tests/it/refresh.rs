//! Refresh, as long as nobody does wrong.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD, unverified_claims};

const DAY: Duration = Duration::from_hours(24);

async fn a_refresh_token_is_exchanged_for_its_successor(harness: Arc<Harness>) {
    harness.set_up().await;
    let login = harness.log_in("root").await;

    let first = harness.refresh(&login.text_of("refresh_token")).await;
    let second = harness.refresh(&first.text_of("refresh_token")).await;

    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.header("cache-control"), "no-store");
    let tokens = [&login, &first, &second].map(|answer| answer.text_of("refresh_token"));
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    let claims = [&login, &second].map(|answer| unverified_claims(&answer.text_of("access_token")));
    assert_eq!(claims[0]["sid"], claims[1]["sid"]);
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    let created = harness.last_event().await;
    assert_eq!(created["action"], "authn_token_created");
    assert_eq!(created["detail"]["refresh"], "rotate");
}

async fn the_token_just_replaced_gets_the_same_successor_for_ten_seconds(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    let successor = harness.refresh(&token).await.text_of("refresh_token");

    harness.wait(Duration::from_secs(10));
    let repeated = harness.refresh(&token).await;

    assert_eq!(repeated.status, StatusCode::OK, "{}", repeated.text);
    assert_eq!(repeated.text_of("refresh_token"), successor);
    assert_eq!(harness.last_event().await["detail"]["refresh"], "repeat");
    assert_eq!(harness.refresh(&successor).await.status, StatusCode::OK);
}

async fn parallel_refreshes_leave_one_family_and_one_successor(harness: Arc<Harness>) {
    harness.set_up().await;
    for parallel in [2, 5, 9] {
        let token = harness.log_in("root").await.text_of("refresh_token");

        let refreshes: Vec<_> = (0..parallel)
            .map(|_| {
                let (harness, token) = (Arc::clone(&harness), token.clone());
                tokio::spawn(async move { harness.refresh(&token).await })
            })
            .collect();
        let mut successors = Vec::new();
        for refresh in refreshes {
            let answer = refresh.await.unwrap();
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            successors.push(answer.text_of("refresh_token"));
        }

        successors.sort_unstable();
        successors.dedup();
        assert_eq!(successors.len(), 1, "of {parallel}");
        assert_eq!(harness.refresh(&successors[0]).await.status, StatusCode::OK);
    }
    assert_eq!(
        harness
            .number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL")
            .await,
        0
    );
    // One row per session, however often it was refreshed; `set_up` signs in as well.
    assert_eq!(harness.number("SELECT COUNT(*) FROM sessions").await, 4);
    assert!(harness.events_of("authn_token_reuse").await.is_empty());
}

async fn a_session_ends_when_it_is_idle_or_old(harness: Arc<Harness>) {
    harness.set_up().await;
    let idle = harness.log_in("root").await.text_of("refresh_token");
    let mut used = idle.clone();
    for _ in 0..5 {
        harness.wait(6 * DAY);
        let login = harness.log_in("root").await;
        used = login.text_of("refresh_token");
    }

    let refused = harness.refresh(&idle).await;

    assert_eq!(refused.json()["error"], "invalid_grant");
    assert_eq!(harness.last_event().await["reason"], "session_expired");
    for _ in 0..5 {
        harness.wait(6 * DAY);
        used = harness.refresh(&used).await.text_of("refresh_token");
    }
    harness.wait(Duration::from_secs(1));
    assert_eq!(harness.refresh(&used).await.json()["error"], "invalid_grant");
    let failed = harness.last_event().await;
    assert_eq!(failed["action"], "authn_token_refresh_fail");
    assert_eq!(failed["reason"], "session_expired");
}

async fn roles_are_read_again_at_every_refresh(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "bob", &["auditor"]).await;
    let login = harness.log_in("bob").await;
    assert_eq!(login.json()["scope"], "audit:read");

    harness.sql("DELETE FROM user_roles WHERE role = 'auditor'").await;
    let refreshed = harness.refresh(&login.text_of("refresh_token")).await;

    assert_eq!(refreshed.json()["scope"], "");
    let claims = unverified_claims(&refreshed.text_of("access_token"));
    assert_eq!(claims.get("roles"), None);
}

async fn a_disabled_user_refreshes_nothing(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");

    harness.sql("UPDATE users SET disabled = (1 = 1)").await;
    let refused = harness.refresh(&token).await;

    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_grant"))
    );
    let failed = harness.last_event().await;
    assert_eq!(failed["reason"], "user_disabled");
    assert_eq!(failed["actor"]["username"], "root");
}

async fn less_scope_may_be_asked_for_and_more_not(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    let asking = |scope: &'static str, token: &str| {
        let (harness, token) = (Arc::clone(&harness), token.to_owned());
        async move {
            let parameters = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &token),
                ("scope", scope),
            ];
            harness.token_request(&parameters).await
        }
    };

    let more = asking("admin orders:write", &token).await;
    let less = asking("audit:read", &token).await;

    assert_eq!(more.json()["error"], "invalid_scope");
    assert_eq!(less.json()["scope"], "audit:read");
    let whole = harness.refresh(&less.text_of("refresh_token")).await;
    assert!(
        whole.text_of("scope").contains("admin"),
        "the session keeps what its roles have"
    );
}

async fn an_audience_is_kept_and_must_still_be_known(harness: Arc<Harness>) {
    harness.set_up().await;
    let body = json!({"username": "root", "password": PASSWORD, "audience": "orders"});
    let login = harness.post("/v1/login", &body).await;

    let refreshed = harness.refresh(&login.text_of("refresh_token")).await;
    harness
        .sql("UPDATE sessions SET audience = 'retired' WHERE audience = 'orders'")
        .await;
    let refused = harness.refresh(&refreshed.text_of("refresh_token")).await;

    let claims = unverified_claims(&refreshed.text_of("access_token"));
    assert_eq!(claims["aud"], json!(["orders"]));
    assert_eq!(refused.json()["error"], "invalid_grant");
    assert_eq!(harness.last_event().await["reason"], "audience_unknown");
}

on_both_databases!(
    a_refresh_token_is_exchanged_for_its_successor,
    the_token_just_replaced_gets_the_same_successor_for_ten_seconds,
    parallel_refreshes_leave_one_family_and_one_successor,
    a_session_ends_when_it_is_idle_or_old,
    roles_are_read_again_at_every_refresh,
    a_disabled_user_refreshes_nothing,
    less_scope_may_be_asked_for_and_more_not,
    an_audience_is_kept_and_must_still_be_known,
);
