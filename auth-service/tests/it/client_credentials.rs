//! Clients that prove who they are and get tokens for themselves.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use crate::client_harness::{TestClient, add_machine, ask, basic, machine, register, send_form, token_of};
use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD, unverified_claims};
use crate::users::change;

const DAY: Duration = Duration::from_hours(24);

async fn a_client_gets_a_token_for_itself(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;

    let answer = ask(&harness, &client, &[]).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!(answer.json()["scope"], "audit:read orders:read");
    let claims = unverified_claims(&answer.text_of("access_token"));
    assert_eq!(claims["sub"], client.id);
    assert_eq!(claims["client_id"], client.id);
    assert_eq!(claims["aud"], json!(["gatelog"]));
    for absent in ["sid", "roles", "username", "auth_time", "amr"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    let event = harness.last_event().await;
    assert_eq!(event["action"], "authn_token_created");
    assert_eq!(event["detail"]["grant"], "client_credentials");
    assert_eq!(event["actor"]["client_id"], client.id);
}

async fn basic_is_form_url_decoded_and_the_form_does_as_well(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    let encoded = |text: &str| text.replace('_', "%5F").replace('-', "%2D");
    let joined = format!("{}:{}", encoded(&client.id), encoded(&client.secret));
    let grant = ("grant_type", "client_credentials");

    let by_basic = send_form(&harness, "/oauth/token", &basic(&joined), &[grant]).await;
    let post = [
        grant,
        ("client_id", client.id.as_str()),
        ("client_secret", &client.secret),
    ];
    let by_post = send_form(&harness, "/oauth/token", "", &post).await;
    let both = send_form(&harness, "/oauth/token", &client.basic(), &post).await;

    assert_eq!(by_basic.status, StatusCode::OK, "{}", by_basic.text);
    assert_eq!(by_post.status, StatusCode::OK, "{}", by_post.text);
    assert_eq!(both.json()["error"], "invalid_request");
}

async fn whoever_is_not_believed_gets_one_answer_and_is_an_event(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    let other = add_machine(&harness, &admin, &json!({})).await;
    let public = json!({"kind": "public", "grant_types": ["authorization_code"], "redirect_uris": ["https://a.example/"]});
    let public = register(&harness, &admin, &machine(&public)).await;
    let wrong = |id: &str, secret: &str| TestClient {
        id: id.to_owned(),
        secret: secret.to_owned(),
    };
    let mut bodies = Vec::new();
    for (who, reason) in [
        (wrong("cli_unknown", &client.secret), "client_unknown"),
        (wrong("usr_1", "x"), "client_unknown"),
        (wrong("nul%00", "x"), "client_unknown"),
        (wrong(&client.id, "x"), "client_secret_wrong"),
        (wrong(&client.id, ""), "client_secret_wrong"),
        (wrong(&client.id, &other.secret), "client_secret_wrong"),
        (wrong(&public, &client.secret), "client_secret_wrong"),
    ] {
        let answer = ask(&harness, &who, &[]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{reason}");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
        bodies.push(answer.text);
        let event = harness.last_event().await;
        assert_eq!(event["action"], "authn_client_fail");
        assert_eq!(event["reason"], reason);
        assert_eq!(event["actor"]["identity"], "claimed");
        assert!(!event.to_string().contains(&client.secret));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let id_alone = [("grant_type", "client_credentials"), ("client_id", &client.id)];
    let unproven = send_form(&harness, "/oauth/token", "", &id_alone).await;
    assert_eq!(unproven.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.last_event().await["reason"], "client_not_proven");
    let public_alone = [("grant_type", "client_credentials"), ("client_id", &public)];
    let refused = send_form(&harness, "/oauth/token", "", &public_alone).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

async fn a_disabled_client_gets_nothing_and_its_tokens_are_void(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let scopes = json!({"scopes": ["admin"]});
    let client = add_machine(&harness, &admin, &scopes).await;
    let token = token_of(&harness, &client, &[]).await;
    let users = "/v1/admin/users";
    assert_eq!(harness.get_as(users, &token).await.status, StatusCode::OK);
    let path = format!("/v1/admin/clients/{}", client.id);
    let set = async |seen: &str, disabled: bool| {
        let body = json!({ "disabled": disabled });
        change(&harness, (Method::PATCH, &path), &admin, Some(seen), &body).await
    };

    let disabled = set("\"1\"", true).await;

    assert_eq!(disabled.json()["disabled"], true, "{}", disabled.text);
    assert_eq!(harness.get_as(users, &token).await.code(), "token_revoked");
    assert_eq!(
        ask(&harness, &client, &[]).await.json()["error"],
        "invalid_client"
    );
    assert_eq!(harness.last_event().await["reason"], "client_disabled");
    set("\"2\"", false).await;
    harness.wait(Duration::from_secs(1));
    let again = token_of(&harness, &client, &[]).await;
    assert_eq!(harness.get_as(users, &again).await.status, StatusCode::OK);
    assert_eq!(harness.get_as(users, &token).await.code(), "token_revoked");
}

async fn a_resource_picks_the_audience_and_scopes_follow_it(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;

    let orders = ask(&harness, &client, &[("resource", "orders")]).await;
    assert_eq!(orders.json()["scope"], "orders:read");
    let claims = unverified_claims(&orders.text_of("access_token"));
    assert_eq!(claims["aud"], json!(["orders"]));
    let narrow = [("resource", "gatelog"), ("scope", "audit:read")];
    assert_eq!(
        ask(&harness, &client, &narrow).await.json()["scope"],
        "audit:read"
    );
    for (parameters, error) in [
        (vec![("resource", "stock")], "invalid_target"),
        (
            vec![("resource", "orders"), ("resource", "gatelog")],
            "invalid_target",
        ),
        (vec![("scope", "admin")], "invalid_scope"),
        (
            vec![("resource", "orders"), ("scope", "audit:read")],
            "invalid_scope",
        ),
    ] {
        let refused = ask(&harness, &client, &parameters).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{parameters:?}");
        assert_eq!(refused.json()["error"], error, "{parameters:?}");
    }
}

async fn a_client_uses_only_the_grants_that_it_has(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let web = json!({"grant_types": ["authorization_code"], "redirect_uris": ["https://a.example/"]});
    let web = add_machine(&harness, &admin, &web).await;
    let machine = add_machine(&harness, &admin, &json!({})).await;

    let own = ask(&harness, &web, &[]).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "rt_x")];
    let refreshed = send_form(&harness, "/oauth/token", &machine.basic(), &refresh).await;

    assert_eq!(own.json()["error"], "unauthorized_client");
    assert_eq!(refreshed.json()["error"], "unauthorized_client");
}

async fn an_expired_secret_is_none_and_use_is_written_once_a_minute(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    let path = format!("/v1/admin/clients/{}", client.id);
    let used = async |admin: &str| {
        let read = harness.get_as(&path, admin).await;
        read.json()["secrets"][0]["last_used_at"].clone()
    };

    assert!(used(&admin).await.is_null());
    token_of(&harness, &client, &[]).await;
    let first = used(&admin).await;
    harness.wait(Duration::from_secs(59));
    token_of(&harness, &client, &[]).await;
    assert_eq!(used(&admin).await, first);
    harness.wait(Duration::from_secs(1));
    token_of(&harness, &client, &[]).await;
    assert_ne!(used(&admin).await, first);

    harness.wait(89 * DAY + Duration::from_secs(24 * 60 * 60 - 61));
    token_of(&harness, &client, &[]).await;
    harness.wait(Duration::from_secs(1));
    assert_eq!(ask(&harness, &client, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.last_event().await["reason"], "client_secret_expired");
}

/// Makes the session of `root` one of a client's, as the authorization-code flow opens them.
async fn session_of(harness: &Harness, client: &TestClient) -> String {
    let refresh = harness.log_in("root").await.text_of("refresh_token");
    harness
        .sql("UPDATE sessions SET client_id = (SELECT MIN(id) FROM clients)")
        .await;
    let moved = harness.texts("SELECT client_id FROM sessions").await;
    assert!(moved.iter().all(|id| *id == client.id));
    refresh
}

async fn a_confidential_client_proves_who_it_is_to_refresh(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let web = json!({"grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://a.example/"]});
    let client = add_machine(&harness, &admin, &web).await;
    let refresh = session_of(&harness, &client).await;
    let other = add_machine(&harness, &admin, &web).await;
    let with = async |authorization: &str, more: &[(&str, &str)]| {
        let mut parameters = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        parameters.extend_from_slice(more);
        send_form(&harness, "/oauth/token", authorization, &parameters).await
    };

    assert_eq!(with("", &[]).await.json()["error"], "invalid_grant");
    let id_alone = [("client_id", client.id.as_str())];
    assert_eq!(with("", &id_alone).await.json()["error"], "invalid_client");
    assert_eq!(with(&other.basic(), &[]).await.json()["error"], "invalid_grant");
    let own = with(&client.basic(), &[]).await;

    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    let claims = unverified_claims(&own.text_of("access_token"));
    assert_eq!(claims["client_id"], client.id);
}

async fn a_token_for_a_client_forgives_no_failures_of_a_user(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let client = add_machine(&harness, &admin, &json!({})).await;
    let wrong = json!({"username": "alice", "password": "wrong"});
    let mut tries = 0;
    loop {
        token_of(&harness, &client, &[]).await;
        let refused = harness.post("/v1/login", &wrong).await;
        if refused.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        tries += 1;
        assert!(tries < 20, "nobody counts");
    }
    token_of(&harness, &client, &[]).await;

    let right = json!({"username": "alice", "password": PASSWORD});
    let refused = harness.post("/v1/login", &right).await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

on_both_databases!(
    a_confidential_client_proves_who_it_is_to_refresh,
    a_token_for_a_client_forgives_no_failures_of_a_user,
    a_client_gets_a_token_for_itself,
    basic_is_form_url_decoded_and_the_form_does_as_well,
    whoever_is_not_believed_gets_one_answer_and_is_an_event,
    a_disabled_client_gets_nothing_and_its_tokens_are_void,
    a_resource_picks_the_audience_and_scopes_follow_it,
    a_client_uses_only_the_grants_that_it_has,
    an_expired_secret_is_none_and_use_is_written_once_a_minute,
);
