//! Users as administrators see and change them.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD};

/// A request with an administrator's token and, if given, the version that it has seen.
pub(crate) async fn change(
    harness: &Harness,
    (method, path): (Method, &str),
    admin: &str,
    seen: Option<&str>,
    body: &Value,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {admin}"))
        .header("content-type", "application/json");
    if let Some(version) = seen {
        request = request.header("if-match", version);
    }
    harness
        .send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn patch(harness: &Harness, admin: &str, id: &str, body: &Value) -> Answer {
    let path = format!("/v1/admin/users/{id}");
    let seen = harness.get_as(&path, admin).await.header("etag").to_owned();
    change(harness, (Method::PATCH, &path), admin, Some(&seen), body).await
}

async fn is_accepted(harness: &Harness, token: &str) -> bool {
    harness.get_as("/v1/sessions", token).await.status == StatusCode::OK
}

async fn users_are_listed_in_pages_by_name(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    for name in ["dora", "alice", "Bob", "al_x"] {
        harness.add_user(&admin, name, &["user"]).await;
    }
    let names = |answer: &Answer| -> Vec<String> {
        let users = answer.json()["users"].as_array().unwrap().clone();
        users
            .iter()
            .map(|user| user["username"].as_str().unwrap().to_owned())
            .collect()
    };

    let first = harness.get_as("/v1/admin/users?limit=2", &admin).await;
    let cursor = first.text_of("next_cursor");
    let rest = harness
        .get_as(&format!("/v1/admin/users?limit=9&cursor={cursor}"), &admin)
        .await;
    let mut all = names(&first);
    all.extend(names(&rest));
    let mut sorted = all.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(names(&first).len(), 2);
    assert_eq!(all.len(), 5);
    assert_eq!(rest.json()["next_cursor"], Value::Null);
    assert!(sorted.iter().all(|name| all.contains(name)));

    assert_eq!(
        names(&harness.get_as("/v1/admin/users?prefix=AL_", &admin).await),
        ["al_x"]
    );
    assert_eq!(
        names(&harness.get_as("/v1/admin/users?role=admin", &admin).await),
        ["root"]
    );
    for wrong in [
        "limit=0",
        "limit=501",
        "cursor=%00",
        "cursor=!",
        "prefix=%00",
        "colour=red",
    ] {
        let answer = harness.get_as(&format!("/v1/admin/users?{wrong}"), &admin).await;
        assert_eq!(answer.code(), "query_invalid", "{wrong}");
    }
}

async fn what_others_may_have_changed_is_changed_only_by_who_has_seen_it(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let path = format!("/v1/admin/users/{id}");
    let body = json!({"disabled": true});
    let patch = (Method::PATCH, path.as_str());

    let unseen = change(&harness, patch.clone(), &admin, None, &body).await;
    assert_eq!(
        (unseen.status, unseen.code().as_str()),
        (StatusCode::PRECONDITION_REQUIRED, "precondition_required")
    );
    for stale in ["\"0\"", "*", "1", "\"1\", \"2\"", "W/\"1\""] {
        let refused = change(&harness, patch.clone(), &admin, Some(stale), &body).await;
        assert_eq!(refused.code(), "precondition_failed", "{stale}");
    }
    let changed = change(&harness, patch.clone(), &admin, Some("\"1\""), &body).await;
    assert_eq!(
        (changed.status, changed.header("etag")),
        (StatusCode::OK, "\"2\""),
        "{}",
        changed.text
    );
    let again = change(&harness, patch, &admin, Some("\"1\""), &body).await;
    assert_eq!(again.status, StatusCode::PRECONDITION_FAILED);
}

async fn a_disabled_user_is_out_at_once_and_can_be_let_in_again(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let session = harness.log_in("alice").await;

    let disabled = patch(&harness, &admin, &id, &json!({"disabled": true})).await;

    assert_eq!(disabled.json()["disabled"], true);
    assert!(!is_accepted(&harness, &session.text_of("access_token")).await);
    assert_eq!(
        harness.refresh(&session.text_of("refresh_token")).await.status,
        StatusCode::BAD_REQUEST
    );
    let login = harness
        .post("/v1/login", &json!({"username": "alice", "password": PASSWORD}))
        .await;
    assert_eq!(login.code(), "bad_credentials");
    let [event] = harness.events_of("user_disabled").await.try_into().unwrap();
    assert_eq!(event["class"], "admin");
    assert_eq!(event["actor"]["username"], "root");
    assert_eq!(event["detail"]["before"]["disabled"], false);
    assert_eq!(event["detail"]["after"]["disabled"], true);
    let kinds: Vec<_> = harness.enforcement_since(0).await["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["sid", "sub"]);

    harness.wait(std::time::Duration::from_secs(1));
    patch(&harness, &admin, &id, &json!({"disabled": false})).await;
    assert_eq!(harness.events_of("user_enabled").await.len(), 1);
    harness.wait(std::time::Duration::from_secs(1));
    harness.log_in("alice").await;
}

async fn tokens_with_former_roles_are_void_and_the_session_goes_on_with_the_new_ones(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["auditor"]).await;
    let session = harness.log_in("alice").await;
    assert_eq!(session.json()["scope"], "audit:read");

    let changed = patch(&harness, &admin, &id, &json!({"roles": ["user"]})).await;

    assert_eq!(changed.json()["roles"], json!(["user"]));
    assert!(!is_accepted(&harness, &session.text_of("access_token")).await);
    harness.wait(std::time::Duration::from_secs(1));
    let refreshed = harness.refresh(&session.text_of("refresh_token")).await;
    assert_eq!(refreshed.json()["scope"], "");
    assert!(is_accepted(&harness, &refreshed.text_of("access_token")).await);
    let [event] = harness
        .events_of("privilege_permissions_changed")
        .await
        .try_into()
        .unwrap();
    assert_eq!(event["detail"]["before"]["roles"], json!(["auditor"]));
    assert_eq!(event["detail"]["after"]["roles"], json!(["user"]));

    let unknown = patch(&harness, &admin, &id, &json!({"roles": ["king"]})).await;
    assert_eq!(unknown.code(), "role_unknown");
    assert_eq!(
        harness
            .get_as(&format!("/v1/admin/users/{id}"), &admin)
            .await
            .json()["roles"],
        json!(["user"])
    );
}

async fn a_change_that_changes_nothing_leaves_no_trace(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let events = harness.events().await.len();

    let same = patch(
        &harness,
        &admin,
        &id,
        &json!({"roles": ["user"], "disabled": false}),
    )
    .await;

    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"1\""));
    assert_eq!(harness.events().await.len(), events);
}

async fn the_last_administrator_cannot_be_taken_away(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let root = harness.get_as("/v1/admin/users?role=admin", &admin).await.json()["users"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/admin/users/{root}");
    for body in [json!({"disabled": true}), json!({"roles": []})] {
        assert_eq!(
            patch(&harness, &admin, &root, &body).await.code(),
            "last_administrator"
        );
    }
    let deleted = change(
        &harness,
        (Method::DELETE, &path),
        &admin,
        Some("\"1\""),
        &json!({}),
    )
    .await;
    assert_eq!(deleted.code(), "last_administrator");

    let second = harness.add_user(&admin, "second", &["admin"]).await;
    patch(&harness, &admin, &second, &json!({"disabled": true})).await;
    assert_eq!(
        patch(&harness, &admin, &root, &json!({"roles": []})).await.code(),
        "last_administrator"
    );
}

async fn of_two_administrators_who_remove_each_other_one_stays(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let second = harness.add_user(&admin, "second", &["admin"]).await;
    let users = harness.get_as("/v1/admin/users?role=admin", &admin).await.json();
    let root = users["users"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["username"] == "root")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();

    let removals = [root, second].map(|id| {
        let (harness, admin) = (Arc::clone(&harness), admin.clone());
        tokio::spawn(async move {
            let path = format!("/v1/admin/users/{id}");
            change(
                &harness,
                (Method::DELETE, &path),
                &admin,
                Some("\"1\""),
                &json!({}),
            )
            .await
            .status
        })
    });
    let mut statuses = Vec::new();
    for removal in removals {
        statuses.push(removal.await.unwrap());
    }

    let left = harness
        .number("SELECT COUNT(*) FROM user_roles JOIN users ON users.id = user_id WHERE role = 'admin' AND deleted_at IS NULL")
        .await;
    assert_eq!(left, 1, "{statuses:?}");
}

async fn a_deleted_user_is_gone_and_its_name_stays_taken(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let session = harness.log_in("alice").await;
    let path = format!("/v1/admin/users/{id}");

    let deleted = change(
        &harness,
        (Method::DELETE, &path),
        &admin,
        Some("\"1\""),
        &json!({}),
    )
    .await;

    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
    assert!(!is_accepted(&harness, &session.text_of("access_token")).await);
    assert_eq!(harness.get_as(&path, &admin).await.status, StatusCode::NOT_FOUND);
    let again = harness
        .post_as(
            "/v1/admin/users",
            &admin,
            &json!({"username": "ALICE", "roles": []}),
        )
        .await;
    assert_eq!(again.code(), "username_taken");
    assert_eq!(
        harness.events_of("user_deleted").await[0]["detail"]["after"],
        Value::Null
    );
}

async fn an_administrator_resets_a_password_without_choosing_one_and_the_reset_ends_every_session(
    harness: Arc<Harness>,
) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let session = harness.log_in("alice").await;
    let path = format!("/v1/admin/users/{id}/password-reset");

    let first = harness
        .post_as(&path, &admin, &json!({}))
        .await
        .text_of("password_token");
    let token = harness
        .post_as(&path, &admin, &json!({}))
        .await
        .text_of("password_token");
    let set = async |token: &str| {
        let body = json!({"token": token, "password": "another horse battery staple"});
        harness.post("/v1/password", &body).await.status
    };
    assert!(is_accepted(&harness, &session.text_of("access_token")).await);
    assert_eq!(set(&first).await, StatusCode::FORBIDDEN);
    assert_eq!(set(&token).await, StatusCode::NO_CONTENT);

    assert!(!is_accepted(&harness, &session.text_of("access_token")).await);
    let revoked = harness.events_of("authn_token_revoked").await;
    assert_eq!(revoked.last().unwrap()["reason"], "password_change");
    let issued = harness.events_of("password_reset_issued").await;
    assert_eq!(issued.len(), 2);
    assert!(!issued[1].to_string().contains(&token));
    assert_eq!(
        harness
            .post_as("/v1/admin/users/usr_none/password-reset", &admin, &json!({}))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

async fn only_administrators_administer(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["auditor", "user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let user = format!("/v1/admin/users/{id}");
    let reset = format!("{user}/password-reset");
    for (method, path) in [
        (Method::GET, "/v1/admin/users"),
        (Method::GET, user.as_str()),
        (Method::PATCH, &user),
        (Method::DELETE, &user),
        (Method::POST, &reset),
        (Method::GET, "/v1/admin/roles"),
        (Method::POST, "/v1/admin/roles"),
        (Method::PATCH, "/v1/admin/roles/user"),
        (Method::DELETE, "/v1/admin/roles/user"),
        (Method::GET, "/v1/admin/sessions?user=x"),
        (Method::DELETE, "/v1/admin/sessions?user=x"),
        (Method::DELETE, "/v1/admin/sessions/x"),
    ] {
        let body = json!({"name": "x", "scopes": []});
        let refused = change(&harness, (method.clone(), path), &alice, Some("\"1\""), &body).await;
        assert_eq!(
            refused.code(),
            "insufficient_scope",
            "{method} {path}: {}",
            refused.text
        );
    }
}

async fn an_administrator_ends_sessions_of_others_after_a_look_at_them(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let sessions = [harness.log_in("alice").await, harness.log_in("alice").await];
    let path = format!("/v1/admin/sessions?user={id}");

    let listed = harness.get_as(&path, &admin).await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    let dry = format!("{path}&dry_run=true");
    let would = change(&harness, (Method::DELETE, &dry), &admin, None, &json!({}))
        .await
        .json();
    assert_eq!(would["sessions"].as_array().unwrap().len(), 2);
    assert!(is_accepted(&harness, &sessions[0].text_of("access_token")).await);

    let one = listed["sessions"][0]["id"].as_str().unwrap();
    let one = format!("/v1/admin/sessions/{one}");
    assert_eq!(
        change(&harness, (Method::DELETE, &one), &admin, None, &json!({}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    let ended = change(&harness, (Method::DELETE, &path), &admin, None, &json!({}))
        .await
        .json();
    assert_eq!(ended["sessions"].as_array().unwrap().len(), 1);
    for session in &sessions {
        assert!(!is_accepted(&harness, &session.text_of("access_token")).await);
    }
    let revoked = harness.events_of("authn_token_revoked").await;
    assert!(
        revoked
            .iter()
            .all(|event| event["reason"] == "admin" && event["actor"]["username"] == "root")
    );
}

on_both_databases!(
    users_are_listed_in_pages_by_name,
    what_others_may_have_changed_is_changed_only_by_who_has_seen_it,
    a_disabled_user_is_out_at_once_and_can_be_let_in_again,
    tokens_with_former_roles_are_void_and_the_session_goes_on_with_the_new_ones,
    a_change_that_changes_nothing_leaves_no_trace,
    the_last_administrator_cannot_be_taken_away,
    of_two_administrators_who_remove_each_other_one_stays,
    a_deleted_user_is_gone_and_its_name_stays_taken,
    an_administrator_resets_a_password_without_choosing_one_and_the_reset_ends_every_session,
    only_administrators_administer,
    an_administrator_ends_sessions_of_others_after_a_look_at_them,
);
