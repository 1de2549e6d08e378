//! Introspection to the letter of RFC 7662.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::client_harness::{TestClient, add_machine, send_form, token_of};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness};

async fn introspect(harness: &Harness, authorization: &str, token: &str, hint: &str) -> Answer {
    let parameters = [("token", token), ("token_type_hint", hint)];
    send_form(harness, "/oauth/introspect", authorization, &parameters).await
}

async fn add_resource_server(harness: &Harness, admin: &str, audiences: &[&str]) -> TestClient {
    let body = json!({"scopes": ["introspect"], "audiences": audiences});
    add_machine(harness, admin, &body).await
}

async fn whoever_may_not_ask_is_refused_before_anything_else(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let machine = add_machine(&harness, &admin, &json!({})).await;
    let web = json!({"kind": "public", "grant_types": ["authorization_code"], "redirect_uris": ["https://a.example/"],
        "scopes": ["introspect"]});
    let web = crate::client_harness::machine(&web);
    let web = crate::client_harness::register(&harness, &admin, &web).await;
    let unknown = crate::client_harness::basic("cli_unknown:x");
    let bearer = format!("Bearer {admin}");
    for who in ["", &machine.basic(), &unknown, &bearer] {
        for token in [admin.as_str(), "garbage", ""] {
            let refused = introspect(&harness, who, token, "").await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
            assert_eq!(refused.json()["error"], "invalid_client");
        }
    }
    let public = [("token", admin.as_str()), ("client_id", web.as_str())];
    let refused = send_form(&harness, "/oauth/introspect", "", &public).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let bare = Request::post("/oauth/introspect").body(Body::empty()).unwrap();
    assert_eq!(harness.send(bare).await.status, StatusCode::UNAUTHORIZED);
    let reasons = harness.events_of("authn_client_fail").await;
    let last = &reasons.last().unwrap()["reason"];
    assert_eq!(last, "client_not_permitted");
}

async fn a_good_token_is_told_of_whatever_the_hint(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let server = add_resource_server(&harness, &admin, &["gatelog"]).await;
    let session = harness.log_in("root").await;
    for hint in ["", "access_token", "refresh_token", "nonsense"] {
        for token in ["access_token", "refresh_token"] {
            let answer = introspect(&harness, &server.basic(), &session.text_of(token), hint).await;
            let told = answer.json();
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(told["active"], true, "{token} {hint}");
            assert_eq!(told["username"], "root");
            assert_eq!(told["client_id"], "gatelog-login");
            assert_eq!(told["aud"], json!(["gatelog"]));
            assert_eq!(told["iss"], "https://gate.example");
            assert_eq!(
                told.get("token_type").is_some(),
                token == "access_token",
                "{told}"
            );
            assert!(told["exp"].as_i64().unwrap() > told["iat"].as_i64().unwrap());
        }
    }
    let no_token = send_form(&harness, "/oauth/introspect", &server.basic(), &[]).await;
    assert_eq!(no_token.json()["error"], "invalid_request");
}

async fn of_what_is_not_active_nothing_else_is_told(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let server = add_resource_server(&harness, &admin, &["gatelog"]).await;
    let orders = add_resource_server(&harness, &admin, &["orders"]).await;
    let told = async |who: &TestClient, token: &str| -> Value {
        let answer = introspect(&harness, &who.basic(), token, "").await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json()
    };
    let nothing = json!({"active": false});
    for token in ["garbage", "rt_x", "a.b.c"] {
        assert_eq!(told(&server, token).await, nothing, "{token}");
    }
    let session = harness.log_in("root").await;
    let (access, refresh) = (session.text_of("access_token"), session.text_of("refresh_token"));
    assert_eq!(told(&orders, &access).await, nothing, "foreign");
    assert_eq!(told(&orders, &refresh).await, nothing, "foreign");
    let successor = harness.refresh(&refresh).await;
    harness.wait(Duration::from_secs(11));
    assert_eq!(told(&server, &refresh).await, nothing, "replaced");
    assert_eq!(told(&server, &access).await["active"], true);

    harness.post_as("/v1/logout", &access, &json!({})).await;
    assert_eq!(told(&server, &access).await, nothing, "revoked");
    let successor = successor.text_of("refresh_token");
    assert_eq!(told(&server, &successor).await, nothing, "ended");

    let session = harness.log_in("root").await;
    let (access, refresh) = (session.text_of("access_token"), session.text_of("refresh_token"));
    harness.wait(Duration::from_secs(605));
    assert_eq!(told(&server, &access).await, nothing, "expired");
    assert_eq!(told(&server, &refresh).await["active"], true);
    harness.wait(Duration::from_hours(7 * 24));
    assert_eq!(told(&server, &refresh).await, nothing, "idle");
}

async fn a_machine_s_token_is_told_of_to_whom_it_is_for(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let orders = add_resource_server(&harness, &admin, &["orders"]).await;
    let machine = add_machine(&harness, &admin, &json!({})).await;
    let token = token_of(&harness, &machine, &[("resource", "orders")]).await;

    let told = introspect(&harness, &orders.basic(), &token, "").await.json();

    assert_eq!(told["sub"], machine.id);
    assert_eq!(told["scope"], "orders:read");
}

on_both_databases!(
    whoever_may_not_ask_is_refused_before_anything_else,
    a_good_token_is_told_of_whatever_the_hint,
    of_what_is_not_active_nothing_else_is_told,
    a_machine_s_token_is_told_of_to_whom_it_is_for,
);
