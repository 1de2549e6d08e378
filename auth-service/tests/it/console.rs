//! The console as a client that nobody registered.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, answered, authorize_path, led_to, redeem_with, refresh};
use crate::databases::on_both_databases;
use crate::harness::{Harness, unverified_claims};

const ID: &str = "gatelog-console";
const PAGE: &str = "https://gate.example/console/";

/// The request of the console, and with `prompt=none` its silent one.
fn asked(more: &[(&str, &str)]) -> String {
    let scopes = ("scope", "admin audit:read audit:export audit:respond rules:write");
    let path = authorize_path(ID, &[&[scopes], more].concat());
    path.replace(
        "https%3A%2F%2Fapp.example%2Fcb",
        "https%3A%2F%2Fgate.example%2Fconsole%2F",
    )
}

async fn an_administrator_signs_in_without_a_page_that_asks_for_consent(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;

    let signed_in = browser.sign_in(&asked(&[]), "root").await;
    let code = answered(&signed_in, "code").unwrap();
    let answer = redeem_with(
        &harness,
        &[("client_id", ID), ("code", &code), ("redirect_uri", PAGE)],
    )
    .await;

    assert!(led_to(&signed_in).starts_with(PAGE));
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let claims = unverified_claims(&answer.text_of("access_token"));
    assert_eq!(
        (&claims["client_id"], &claims["aud"]),
        (&json!(ID), &json!(["gatelog"]))
    );
    assert_eq!(
        claims["scope"],
        "admin audit:read audit:export audit:respond rules:write"
    );
    let token = answer.text_of("refresh_token");
    assert_eq!(refresh(&harness, ID, &token).await.status, StatusCode::OK);
}

async fn a_browser_that_is_signed_in_gets_a_code_silently_and_another_is_told_to_sign_in(
    harness: Arc<Harness>,
) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;
    let silent = asked(&[("prompt", "none")]);

    let before = browser.get(&silent).await;
    browser.sign_in(&asked(&[]), "root").await;
    let after = browser.get(&silent).await;

    assert_eq!(before.status, StatusCode::SEE_OTHER);
    assert_eq!(answered(&before, "error").as_deref(), Some("login_required"));
    assert_eq!(after.status, StatusCode::SEE_OTHER);
    assert!(answered(&after, "code").is_some());
}

async fn no_code_of_the_console_goes_elsewhere(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;

    for address in [
        "https://app.example/cb",
        "https://gate.example/console",
        "https://gate.example/console/x",
        "https://gate.example.evil.example/console/",
        "http://gate.example/console/",
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let path = asked(&[]).replace("https%3A%2F%2Fgate.example%2Fconsole%2F", &encoded);
        assert_eq!(
            browser.get(&path).await.status,
            StatusCode::BAD_REQUEST,
            "{address}"
        );
    }
}

async fn signing_out_of_the_console_ends_the_sign_in_of_the_browser(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;
    let signed_in = browser.sign_in(&asked(&[]), "root").await;
    let code = answered(&signed_in, "code").unwrap();
    let tokens = redeem_with(
        &harness,
        &[("client_id", ID), ("code", &code), ("redirect_uri", PAGE)],
    )
    .await;

    harness
        .post_as("/v1/logout", &tokens.text_of("access_token"), &json!({}))
        .await;

    let silent = browser.get(&asked(&[("prompt", "none")])).await;
    assert_eq!(answered(&silent, "error").as_deref(), Some("login_required"));
}

on_both_databases![
    an_administrator_signs_in_without_a_page_that_asks_for_consent,
    a_browser_that_is_signed_in_gets_a_code_silently_and_another_is_told_to_sign_in,
    no_code_of_the_console_goes_elsewhere,
    signing_out_of_the_console_ends_the_sign_in_of_the_browser,
];
