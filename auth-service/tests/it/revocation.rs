//! Revocation to the letter of RFC 7009.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::client_harness::{add_machine, send_form, token_of};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness};

async fn revoke(harness: &Harness, authorization: &str, parameters: &[(&str, &str)]) -> Answer {
    send_form(harness, "/oauth/revoke", authorization, parameters).await
}

async fn is_good(harness: &Harness, token: &str) -> bool {
    harness.get_as("/v1/sessions", token).await.status == StatusCode::OK
}

async fn a_refresh_token_ends_its_session_whatever_the_hint(harness: Arc<Harness>) {
    harness.set_up().await;
    for hint in ["", "refresh_token", "access_token", "nonsense"] {
        let session = harness.log_in("root").await;
        let (access, refresh) = (session.text_of("access_token"), session.text_of("refresh_token"));
        let parameters = [("token", refresh.as_str()), ("token_type_hint", hint)];

        let revoked = revoke(&harness, "", &parameters).await;

        assert_eq!(
            (revoked.status, revoked.text.as_str()),
            (StatusCode::OK, ""),
            "{hint}"
        );
        assert!(!is_good(&harness, &access).await, "{hint}");
        assert_eq!(harness.refresh(&refresh).await.json()["error"], "invalid_grant");
        let event = harness.events_of("authn_token_revoked").await.pop().unwrap();
        assert_eq!(event["reason"], "client_request");
        assert!(event["detail"]["sid"].as_str().unwrap().starts_with("ses_"));
        let again = revoke(&harness, "", &parameters).await;
        assert_eq!(again.status, StatusCode::OK);
    }
    assert_eq!(harness.events_of("authn_token_revoked").await.len(), 4);
}

async fn an_access_token_is_void_alone_whatever_the_hint(harness: Arc<Harness>) {
    harness.set_up().await;
    for hint in ["", "refresh_token", "access_token", "nonsense"] {
        let session = harness.log_in("root").await;
        let access = session.text_of("access_token");
        let parameters = [("token", access.as_str()), ("token_type_hint", hint)];

        for _ in 0..2 {
            let revoked = revoke(&harness, "", &parameters).await;
            assert_eq!(revoked.status, StatusCode::OK, "{hint}");
        }

        assert!(!is_good(&harness, &access).await, "{hint}");
        let refreshed = harness.refresh(&session.text_of("refresh_token")).await;
        assert!(is_good(&harness, &refreshed.text_of("access_token")).await);
    }
    let page = harness.enforcement_since(0).await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 4, "{page}");
    assert_eq!(page["entries"][0]["kind"], "jti");
}

async fn what_is_no_token_is_revoked_already(harness: Arc<Harness>) {
    harness.set_up().await;
    let session = harness.log_in("root").await;
    let access = session.text_of("access_token");
    let refresh = session.text_of("refresh_token");
    // In the middle: the last character may already be the one that is put there, or hold bits that are not read.
    let (head, tail) = refresh.split_at(refresh.len() / 2);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}{other}{}", &tail[1..]);
    let long = "x".repeat(9000);
    for token in ["garbage", "rt_", "a.b.c", &forged, &long] {
        assert_eq!(
            revoke(&harness, "", &[("token", token)]).await.status,
            StatusCode::OK,
            "{token}"
        );
    }
    harness.wait(Duration::from_mins(11));
    assert_eq!(
        revoke(&harness, "", &[("token", &access)]).await.status,
        StatusCode::OK
    );
    assert_eq!(harness.events_of("authn_token_revoked").await.len(), 0);
    assert_eq!(harness.refresh(&refresh).await.status, StatusCode::OK);
    for parameters in [&[][..], &[("token", "")]] {
        let missing = revoke(&harness, "", parameters).await;
        assert_eq!(missing.json()["error"], "invalid_request");
    }
}

async fn the_token_of_another_client_is_refused_and_lives_on(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let (client, other) = (
        add_machine(&harness, &admin, &json!({"scopes": ["admin"]})).await,
        add_machine(&harness, &admin, &json!({})).await,
    );
    let own = token_of(&harness, &client, &[]).await;
    let session = harness.log_in("root").await;
    let is_own_good = async || harness.get_as("/v1/admin/users", &own).await.status == StatusCode::OK;
    for (who, token) in [
        (other.basic(), own.clone()),
        (String::new(), own.clone()),
        (client.basic(), session.text_of("access_token")),
        (client.basic(), session.text_of("refresh_token")),
    ] {
        let refused = revoke(&harness, &who, &[("token", &token)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert_eq!(refused.json()["error"], "invalid_grant");
    }
    let unproven = [("token", own.as_str()), ("client_id", client.id.as_str())];
    assert_eq!(
        revoke(&harness, "", &unproven).await.status,
        StatusCode::UNAUTHORIZED
    );
    let wrong = crate::client_harness::basic(&format!("{}:wrong", client.id));
    let refused = revoke(&harness, &wrong, &[("token", "garbage")]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(is_own_good().await);
    assert!(is_good(&harness, &session.text_of("access_token")).await);

    let revoked = revoke(&harness, &client.basic(), &[("token", &own)]).await;

    assert_eq!(revoked.status, StatusCode::OK);
    assert!(!is_own_good().await);
}

async fn a_revocation_that_cannot_be_committed_is_no_success(harness: Arc<Harness>) {
    harness.set_up().await;
    let session = harness.log_in("root").await;
    let refresh = session.text_of("refresh_token");
    harness.sql("ALTER TABLE enforcement RENAME TO away").await;

    let failed = revoke(&harness, "", &[("token", &refresh)]).await;

    assert!(failed.status.is_server_error(), "{}", failed.text);
    harness.sql("ALTER TABLE away RENAME TO enforcement").await;
    assert_eq!(harness.events_of("authn_token_revoked").await.len(), 0);
    assert!(is_good(&harness, &session.text_of("access_token")).await);
    assert_eq!(harness.refresh(&refresh).await.status, StatusCode::OK);
}

on_both_databases!(
    a_refresh_token_ends_its_session_whatever_the_hint,
    an_access_token_is_void_alone_whatever_the_hint,
    what_is_no_token_is_revoked_already,
    the_token_of_another_client_is_refused_and_lives_on,
    a_revocation_that_cannot_be_committed_is_no_success,
);
