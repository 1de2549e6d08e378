//! The link with which a user sets its password, from the administrator to the page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, Form, tags};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD};

const NEW: &str = "seven blue lamps over the river";

/// The path and query of a link that an administrator made for `bob`.
async fn link(harness: &Harness) -> String {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "bob", &[]).await;
    reset(harness, &admin, &id).await
}

async fn reset(harness: &Harness, admin: &str, id: &str) -> String {
    let path = format!("/v1/admin/users/{id}/password-reset");
    let made = harness.post_as(&path, admin, &json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    own_path(&made.text_of("password_link"))
}

fn own_path(link: &str) -> String {
    link.strip_prefix("https://gate.example").unwrap().to_owned()
}

fn typed(password: &str) -> [(&str, &str); 2] {
    [("password", password), ("password_again", password)]
}

async fn sign_in(harness: &Harness, password: &str) -> StatusCode {
    let body = json!({"username": "bob", "password": password});
    harness.post("/v1/login", &body).await.status
}

/// What a page says is wrong with a field.
fn said(page: &Answer, word: &str) -> bool {
    page.text
        .split_once("role=\"alert\"")
        .is_some_and(|(_, rest)| rest.contains(word))
}

async fn a_user_follows_a_link_and_sets_its_password(harness: Arc<Harness>) {
    let path = link(&harness).await;
    let former = {
        let body = json!({"username": "bob", "password": PASSWORD});
        harness.post("/v1/login", &body).await.text_of("access_token")
    };
    let browser = Browser::new(&harness).await;

    // Whatever looks at links before people do follows them too.
    browser.get(&path).await;
    let page = browser.get(&path).await;
    let done = browser.submit(&page, &typed(NEW)).await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("value=\"bob\""), "{}", page.text);
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    assert_eq!(sign_in(&harness, NEW).await, StatusCode::OK);
    assert_eq!(sign_in(&harness, PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        harness.get_as("/v1/sessions", &former).await.code(),
        "token_revoked"
    );
    let again = browser.get(&path).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.text.contains("does not work any more"), "{}", again.text);
    assert_eq!(
        harness.events_of("authn_one_time_token_fail").await[0]["reason"],
        "one_time_token_refused"
    );
}

async fn a_new_user_is_invited_by_a_link(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let body = json!({"username": "bob", "roles": []});
    let made = harness.post_as("/v1/admin/users", &admin, &body).await;
    let browser = Browser::new(&harness).await;

    let page = browser.get(&own_path(&made.text_of("password_link"))).await;
    browser.submit(&page, &typed(NEW)).await;

    assert!(
        made.text_of("password_link")
            .ends_with(&made.text_of("password_token"))
    );
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(sign_in(&harness, NEW).await, StatusCode::OK);
}

async fn the_token_of_a_link_goes_no_further(harness: Arc<Harness>) {
    let path = link(&harness).await;
    let (_, token) = path.split_once("token=").unwrap();
    let browser = Browser::new(&harness).await;

    let page = browser.get(&path).await;
    let again = browser.submit(&page, &typed("short")).await;

    for page in [&page, &again] {
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(
            Form::of(&page.text).action,
            "/oauth/password",
            "no later page has it in its address"
        );
        assert!(
            tags(&page.text, "a")
                .iter()
                .all(|link| !link["href"].contains(token))
        );
    }
    assert!(!Value::from(harness.events().await).to_string().contains(token));
}

async fn what_is_wrong_is_said_in_the_user_s_language_and_the_link_stays_good(harness: Arc<Harness>) {
    let path = link(&harness).await;
    let mut browser = Browser::new(&harness).await;
    for (language, wrong, word) in [
        ("en", typed(""), "Enter your password."),
        (
            "en",
            [("password", NEW), ("password_again", "else")],
            "are not the same",
        ),
        ("en", typed("fourteen chars"), "at least 15 characters"),
        ("en", typed("my name is bob, and so on"), "your user name"),
        ("en", typed("gatelog is a nice place"), "the name of this service"),
        ("en", typed("passwordpassword123"), "Use several different words"),
        ("ko", typed("fourteen chars"), "15자 이상"),
        (
            "ko",
            [("password", NEW), ("password_again", "else")],
            "서로 다릅니다",
        ),
    ] {
        browser.language = language;
        let page = browser.get(&path).await;
        let answer = browser.submit(&page, &wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong:?}");
        assert!(said(&answer, word), "{wrong:?}: {}", answer.text);
        assert!(
            !answer.text.contains("fourteen chars"),
            "what was typed is not shown"
        );
    }

    let page = browser.get(&path).await;
    assert!(page.text.contains("<html lang=\"ko\">"), "{}", page.text);
    assert_eq!(browser.submit(&page, &typed(NEW)).await.status, StatusCode::OK);
}

async fn a_newer_link_and_a_day_make_a_link_void(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "bob", &[]).await;
    let browser = Browser::new(&harness).await;
    let first = reset(&harness, &admin, &id).await;
    let page = browser.get(&first).await;

    let second = reset(&harness, &admin, &id).await;

    assert_eq!(
        browser.submit(&page, &typed(NEW)).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.get(&second).await.status, StatusCode::OK);
    harness.wait(Duration::from_hours(24));
    assert_eq!(browser.get(&second).await.status, StatusCode::FORBIDDEN);
    for wrong in [
        "/oauth/password",
        "/oauth/password?token=",
        "/oauth/password?token=a&token=b",
    ] {
        assert_eq!(browser.get(wrong).await.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    assert_eq!(sign_in(&harness, PASSWORD).await, StatusCode::OK);
}

async fn a_form_of_somebody_else_sets_nothing(harness: Arc<Harness>) {
    let path = link(&harness).await;
    let (browser, other) = (Browser::new(&harness).await, Browser::new(&harness).await);
    let page = browser.get(&path).await;
    let form = Form::of(&page.text);
    let fields: Vec<(&str, &str)> = form
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(typed(NEW))
        .collect();

    let elsewhere = browser.post_from_elsewhere(&form.action, &fields).await;
    let of_other = other.post(&form.action, &fields).await;

    assert_eq!(
        (elsewhere.status, of_other.status),
        (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN)
    );
    assert!(said(&of_other, "Try again"), "{}", of_other.text);
    assert_eq!(sign_in(&harness, PASSWORD).await, StatusCode::OK);
}

async fn no_host_of_a_request_gets_into_a_link(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let request = Request::post("/v1/admin/users")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("authorization", format!("Bearer {admin}"))
        .header("content-type", "application/json")
        .body(Body::from(json!({"username": "bob", "roles": []}).to_string()))
        .unwrap();

    let made = harness.send(request).await;

    let link = made.text_of("password_link");
    assert!(
        link.starts_with("https://gate.example/oauth/password?token=pw_"),
        "{link}"
    );
}

on_both_databases!(
    a_user_follows_a_link_and_sets_its_password,
    a_new_user_is_invited_by_a_link,
    the_token_of_a_link_goes_no_further,
    what_is_wrong_is_said_in_the_user_s_language_and_the_link_stays_good,
    a_newer_link_and_a_day_make_a_link_void,
    a_form_of_somebody_else_sets_nothing,
    no_host_of_a_request_gets_into_a_link,
);
