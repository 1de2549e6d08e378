//! Making users, and users setting their passwords.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD};

async fn a_user_is_made_without_a_password_and_sets_its_own(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let body = json!({"username": "Bob", "roles": ["auditor", "user"]});

    let created = harness.post_as("/v1/admin/users", &admin, &body).await;
    let made = harness.last_event().await;
    let token = created.text_of("password_token");
    let set = harness
        .post("/v1/password", &json!({"token": token, "password": PASSWORD}))
        .await;
    let changed = harness.last_event().await;

    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("cache-control"), "no-store");
    assert_eq!(created.json()["roles"], json!(["auditor", "user"]));
    assert_eq!(created.text_of("expires_at"), "2027-01-16T08:00:00.000000Z");
    assert_eq!(
        (made["class"].as_str(), made["action"].as_str()),
        (Some("admin"), Some("user_created"))
    );
    assert_eq!(made["actor"]["username"], "root");
    assert_eq!(made["detail"]["username"], "Bob");
    assert_eq!(set.status, StatusCode::NO_CONTENT, "{}", set.text);
    assert_eq!(changed["action"], "authn_password_change");
    assert_eq!(changed["actor"]["sub"], created.json()["id"]);
    assert_eq!(harness.log_in("bob").await.json()["scope"], "audit:read");
}

async fn a_password_token_works_once_and_for_a_day(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let invite = async |name: &str| {
        let body = json!({"username": name, "roles": []});
        harness
            .post_as("/v1/admin/users", &admin, &body)
            .await
            .text_of("password_token")
    };
    let (used, expired) = (invite("bob").await, invite("eve").await);
    let set = async |token: &str| {
        harness
            .post("/v1/password", &json!({"token": token, "password": PASSWORD}))
            .await
            .status
    };

    assert_eq!(set(&used).await, StatusCode::NO_CONTENT);
    assert_eq!(set(&used).await, StatusCode::FORBIDDEN);
    harness.wait(Duration::from_hours(24));
    assert_eq!(set(&expired).await, StatusCode::FORBIDDEN);
    assert_eq!(harness.events_of("authn_one_time_token_fail").await.len(), 2);
}

async fn a_setup_token_sets_no_password_and_a_password_token_sets_nothing_up(harness: Arc<Harness>) {
    let setup_token = harness.setup_token().await;

    let crossed = harness
        .post(
            "/v1/password",
            &json!({"token": setup_token, "password": PASSWORD}),
        )
        .await;

    assert_eq!(crossed.code(), "one_time_token_refused");
}

async fn a_weak_password_is_refused_and_can_be_tried_again(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let body = json!({"username": "christopher", "roles": []});
    let token = harness
        .post_as("/v1/admin/users", &admin, &body)
        .await
        .text_of("password_token");

    for weak in ["short", "I am CHRISTOPHER and nobody else", &"x".repeat(1025)] {
        let refused = harness
            .post("/v1/password", &json!({"token": token, "password": weak}))
            .await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::BAD_REQUEST, "password_refused")
        );
        assert!(!refused.text.contains(weak));
    }
    let good = harness
        .post("/v1/password", &json!({"token": token, "password": PASSWORD}))
        .await;
    assert_eq!(good.status, StatusCode::NO_CONTENT);
}

async fn names_and_roles_must_be_possible(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let cases = [
        (json!({"username": "ROOT", "roles": []}), 409, "username_taken"),
        (
            json!({"username": "bob", "roles": ["auditor", "emperor"]}),
            400,
            "role_unknown",
        ),
        (json!({"username": "bob smith", "roles": []}), 400, "body_invalid"),
        (json!({"username": "", "roles": []}), 400, "body_invalid"),
        (json!({"username": "bob"}), 400, "body_invalid"),
        (
            json!({"username": "bob", "roles": [], "password": PASSWORD}),
            400,
            "body_invalid",
        ),
    ];
    for (body, status, code) in cases {
        let answer = harness.post_as("/v1/admin/users", &admin, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{body}"
        );
    }
    assert_eq!(
        harness.number("SELECT COUNT(*) FROM users").await,
        1,
        "nothing is left half made"
    );
    assert_eq!(harness.events_of("user_created").await.len(), 1);
}

async fn only_the_scope_admin_makes_users(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "bob", &["auditor"]).await;
    let auditor = harness.log_in("bob").await.text_of("access_token");
    let body = json!({"username": "eve", "roles": ["admin"]});

    let by_auditor = harness.post_as("/v1/admin/users", &auditor, &body).await;
    let by_nobody = harness.post("/v1/admin/users", &body).await;
    let by_nonsense = harness.post_as("/v1/admin/users", "a.b.c", &body).await;

    assert_eq!(
        (by_auditor.status, by_auditor.code().as_str()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(by_auditor.header("www-authenticate").contains(r#"scope="admin""#));
    assert_eq!(
        (by_nobody.status, by_nobody.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_missing")
    );
    assert_eq!(by_nobody.header("www-authenticate"), r#"Bearer realm="gatelog""#);
    assert_eq!(
        (by_nonsense.status, by_nonsense.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_malformed")
    );
    assert_eq!(harness.number("SELECT COUNT(*) FROM users").await, 2);
}

async fn an_expired_token_is_refused(harness: Arc<Harness>) {
    let admin = harness.set_up().await;

    harness.wait(Duration::from_secs(605));
    let late = harness.post_as("/v1/logout", &admin, &json!({})).await;

    assert_eq!(
        (late.status, late.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_expired")
    );
}

on_both_databases!(
    a_user_is_made_without_a_password_and_sets_its_own,
    a_password_token_works_once_and_for_a_day,
    a_setup_token_sets_no_password_and_a_password_token_sets_nothing_up,
    a_weak_password_is_refused_and_can_be_tried_again,
    names_and_roles_must_be_possible,
    only_the_scope_admin_makes_users,
    an_expired_token_is_refused,
);
