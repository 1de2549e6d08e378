//! The authorization code flow, from a client's link to its tokens.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::browser::{
    Browser, CALLBACK, FOREIGN, OWN, VERIFIER, answered, authorize_path, led_to, redeem, redeem_with, refresh,
};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, unverified_claims};

/// A service with the user `root`, and a code that it got.
async fn with_code(harness: &Arc<Harness>, client_id: &str, more: &[(&str, &str)]) -> (Browser, String) {
    harness.set_up().await;
    let browser = Browser::new(harness).await;
    let answer = browser.sign_in(&authorize_path(client_id, more), "root").await;
    let code = answered(&answer, "code").unwrap();
    (browser, code)
}

async fn is_alive(harness: &Harness, answer: &Answer) -> bool {
    let token = answer.text_of("access_token");
    harness.get_as("/v1/sessions", &token).await.status == StatusCode::OK
}

async fn a_user_signs_in_and_the_client_gets_tokens(harness: Arc<Harness>) {
    let more = [
        ("scope", "openid profile admin"),
        ("nonce", "n-0S6"),
        ("resource", "gatelog"),
    ];
    let (browser, code) = with_code(&harness, OWN, &more).await;

    let answer = redeem(&harness, OWN, &code).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let access = unverified_claims(&answer.text_of("access_token"));
    let id = unverified_claims(&answer.text_of("id_token"));
    assert_eq!(access["scope"], "openid profile admin");
    assert_eq!(
        (&access["client_id"], &access["aud"]),
        (&json!(OWN), &json!(["gatelog"]))
    );
    assert_eq!(
        (&id["iss"], &id["aud"], &id["nonce"]),
        (&json!("https://gate.example"), &json!(OWN), &json!("n-0S6"))
    );
    assert_eq!(
        (&id["sub"], &id["sid"], &id["auth_time"]),
        (&access["sub"], &access["sid"], &access["auth_time"])
    );
    assert_eq!(
        (&id["amr"], &id["preferred_username"]),
        (&json!(["pwd"]), &json!("root"))
    );
    assert!(is_alive(&harness, &answer).await);
    assert_eq!(
        refresh(&harness, OWN, &answer.text_of("refresh_token"))
            .await
            .status,
        StatusCode::OK
    );
    assert!(browser.cookie("__Host-gatelog").is_some());
    let created = harness.events_of("session_created").await;
    assert_eq!(created[0]["actor"]["sid"], id["sid"]);
    assert_eq!(harness.events_of("authn_login_success").await.len(), 2);
}

async fn the_answer_to_the_client_has_its_state_and_the_issuer(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;

    let answer = browser.sign_in(&authorize_path(OWN, &[]), "root").await;

    assert!(
        led_to(&answer).starts_with(&format!("{CALLBACK}?code=code_")),
        "{}",
        answer.text
    );
    assert_eq!(answered(&answer, "state").unwrap(), "s&\"<t>");
    assert_eq!(answered(&answer, "iss").unwrap(), "https://gate.example");
}

async fn who_is_signed_in_is_asked_nothing(harness: Arc<Harness>) {
    let (browser, _) = with_code(&harness, OWN, &[]).await;

    let answer = browser.get(&authorize_path(OWN, &[("prompt", "none")])).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let code = answered(&answer, "code").unwrap();
    assert_eq!(redeem(&harness, OWN, &code).await.status, StatusCode::OK);
}

async fn a_code_is_good_once_and_its_second_use_ends_the_session(harness: Arc<Harness>) {
    let (_, code) = with_code(&harness, OWN, &[]).await;
    let first = redeem(&harness, OWN, &code).await;
    assert!(is_alive(&harness, &first).await);

    // Whoever replays it knows no verifier.
    let second = redeem_with(
        &harness,
        &[
            ("client_id", OWN),
            ("code", &code),
            ("code_verifier", &"x".repeat(43)),
        ],
    )
    .await;

    assert_eq!(
        (second.status, second.text_of("error").as_str()),
        (StatusCode::BAD_REQUEST, "invalid_grant")
    );
    assert!(!is_alive(&harness, &first).await);
    assert_eq!(
        refresh(&harness, OWN, &first.text_of("refresh_token"))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    let sid = unverified_claims(&first.text_of("access_token"))["sid"].clone();
    let reuse = harness.events_of("authn_code_reuse").await.pop().unwrap();
    assert_eq!(
        (&reuse["reason"], &reuse["actor"]["sid"]),
        (&json!("code_reuse"), &sid)
    );
    let revoked = harness.events_of("authn_token_revoked").await.pop().unwrap();
    assert_eq!(
        (&revoked["reason"], &revoked["detail"]["sid"]),
        (&json!("code_reuse"), &sid)
    );
    let log = harness.enforcement_since(0).await;
    assert!(
        log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry.to_string().contains(sid.as_str().unwrap()))
    );
}

/// A code that was redeemed long ago is still known as such while the session from it may live.
async fn a_late_replay_is_no_unknown_code(harness: Arc<Harness>) {
    let (_, code) = with_code(&harness, OWN, &[]).await;
    let first = redeem(&harness, OWN, &code).await;
    harness.wait(Duration::from_hours(24 * 6));
    harness.service.upkeep().await;
    let refreshed = refresh(&harness, OWN, &first.text_of("refresh_token")).await;
    assert!(is_alive(&harness, &refreshed).await);

    redeem(&harness, OWN, &code).await;

    assert!(!is_alive(&harness, &refreshed).await);
}

async fn of_many_that_redeem_a_code_at_once_at_most_one_gets_tokens_and_they_are_void(harness: Arc<Harness>) {
    let (_, code) = with_code(&harness, OWN, &[]).await;
    let code = Arc::new(code);

    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let (harness, code) = (Arc::clone(&harness), Arc::clone(&code));
            tokio::spawn(async move { redeem(&harness, OWN, &code).await })
        })
        .collect();
    let mut granted = Vec::new();
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        if answer.status == StatusCode::OK {
            granted.push(answer);
        } else {
            assert_eq!(answer.text_of("error"), "invalid_grant");
        }
    }

    assert_eq!(granted.len(), 1);
    assert!(!is_alive(&harness, &granted[0]).await);
    assert_eq!(harness.events_of("session_created").await.len(), 1);
    let alarms = harness.events_of("authn_code_reuse").await.len();
    let mut after = harness.events_of("authn_code_fail").await;
    after.retain(|event| event["reason"] == "code_used");
    assert!(alarms >= 1 && alarms + after.len() == 7, "{alarms}: {after:?}");
}

async fn a_code_is_bound_to_its_client_address_and_verifier(harness: Arc<Harness>) {
    let (_, code) = with_code(&harness, OWN, &[]).await;
    let wrong: [(&str, &[(&str, &str)]); 5] = [
        ("client_differs", &[("client_id", FOREIGN)]),
        (
            "redirect_uri_differs",
            &[("redirect_uri", "http://127.0.0.1:5000/cb")],
        ),
        (
            "code_verifier_wrong",
            &[("code_verifier", "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")],
        ),
        (
            "code_verifier_wrong",
            &[("code_verifier", crate::browser::CHALLENGE)],
        ),
        ("code_unknown", &[("code", "code_x")]),
    ];
    for (reason, changed) in wrong {
        let mut parameters = vec![("client_id", OWN), ("code", code.as_str())];
        parameters.extend_from_slice(changed);
        let answer = redeem_with(&harness, &parameters).await;
        assert_eq!(answer.text_of("error"), "invalid_grant", "{reason}");
        assert_eq!(harness.last_event().await["reason"], reason);
    }
    for missing in ["code_verifier", "redirect_uri", "code", "client_id"] {
        let answer = redeem_with(&harness, &[("client_id", OWN), ("code", &code), (missing, "")]).await;
        assert_eq!(answer.text_of("error"), "invalid_request", "{missing}");
    }

    assert_eq!(redeem(&harness, OWN, &code).await.status, StatusCode::OK);
}

async fn a_code_is_good_for_a_minute(harness: Arc<Harness>) {
    let (browser, late) = with_code(&harness, OWN, &[]).await;
    harness.wait(Duration::from_mins(1));
    assert_eq!(
        redeem(&harness, OWN, &late).await.text_of("error"),
        "invalid_grant"
    );
    assert_eq!(harness.last_event().await["reason"], "code_expired");

    let code = answered(&browser.get(&authorize_path(OWN, &[])).await, "code").unwrap();
    harness.wait(Duration::from_secs(59));
    harness.service.upkeep().await;

    assert_eq!(redeem(&harness, OWN, &code).await.status, StatusCode::OK);
}

async fn only_its_hash_is_kept(harness: Arc<Harness>) {
    let (browser, code) = with_code(&harness, OWN, &[]).await;
    redeem(&harness, OWN, &code).await;

    let events = Value::from(harness.events().await).to_string();
    for secret in [code, browser.cookie("__Host-gatelog").unwrap(), VERIFIER.into()] {
        assert!(!events.contains(&secret), "{secret}");
    }
}

/// The matrix of what is a token for what: an ID token opens nothing.
async fn an_id_token_is_no_access_token(harness: Arc<Harness>) {
    let (_, code) = with_code(&harness, OWN, &[("scope", "openid admin")]).await;
    let answer = redeem(&harness, OWN, &code).await;
    let id_token = answer.text_of("id_token");

    for path in ["/v1/sessions", "/oauth/userinfo"] {
        let refused = harness.get_as(path, &id_token).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::UNAUTHORIZED, "token_type_refused"),
            "{path}"
        );
    }
    assert_eq!(
        refresh(&harness, OWN, &id_token).await.text_of("error"),
        "invalid_grant"
    );
}

async fn who_the_user_is_needs_openid_and_is_told_for_any_audience(harness: Arc<Harness>) {
    let more = [("scope", "openid profile"), ("resource", "orders")];
    let (browser, code) = with_code(&harness, OWN, &more).await;
    let token = redeem(&harness, OWN, &code).await.text_of("access_token");

    let user = harness.get_as("/oauth/userinfo", &token).await;

    let claims = unverified_claims(&token);
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&json!(["orders"]), &json!("openid profile"))
    );
    assert_eq!(
        user.json(),
        json!({"sub": claims["sub"], "preferred_username": "root"})
    );
    let code = answered(&browser.get(&authorize_path(OWN, &[])).await, "code").unwrap();
    let answer = redeem(&harness, OWN, &code).await;
    let refused = harness
        .get_as("/oauth/userinfo", &answer.text_of("access_token"))
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(answer.json().get("id_token").is_none());
}

async fn a_client_of_somebody_else_keeps_access_only_if_it_asked_to(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;
    for (scope, has_refresh_token) in [("openid", false), ("openid offline_access", true)] {
        let page = browser.get(&authorize_path(FOREIGN, &[("scope", scope)])).await;
        let page = if page.text.contains("type=\"password\"") {
            browser
                .submit(
                    &page,
                    &[("username", "root"), ("password", crate::harness::PASSWORD)],
                )
                .await
        } else {
            page
        };
        let code = answered(&browser.submit(&page, &[("decision", "allow")]).await, "code").unwrap();
        let answer = redeem(&harness, FOREIGN, &code).await;
        assert_eq!(
            answer.json().get("refresh_token").is_some(),
            has_refresh_token,
            "{scope}"
        );
    }
}

on_both_databases!(
    a_user_signs_in_and_the_client_gets_tokens,
    the_answer_to_the_client_has_its_state_and_the_issuer,
    who_is_signed_in_is_asked_nothing,
    a_code_is_good_once_and_its_second_use_ends_the_session,
    a_late_replay_is_no_unknown_code,
    of_many_that_redeem_a_code_at_once_at_most_one_gets_tokens_and_they_are_void,
    a_code_is_bound_to_its_client_address_and_verifier,
    a_code_is_good_for_a_minute,
    only_its_hash_is_kept,
    an_id_token_is_no_access_token,
    who_the_user_is_needs_openid_and_is_told_for_any_audience,
    a_client_of_somebody_else_keeps_access_only_if_it_asked_to,
);
