//! The hosted pages: what they refuse, what they look like to programs, and who stays signed in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::browser::{Browser, CALLBACK, FOREIGN, Form, OWN, answered, authorize_path, led_to, redeem, tags};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD};

const HOSTILE: &str = "\"><script>alert(1)</script>&'";

async fn signed_in(harness: &Arc<Harness>) -> Browser {
    harness.set_up().await;
    let browser = Browser::new(harness).await;
    let answer = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    assert!(answered(&answer, "code").is_some());
    browser
}

fn asks_to_sign_in(answer: &Answer) -> bool {
    answer.text.contains("autocomplete=\"current-password\"")
}

/// What every page must be, whatever is on it.
pub(crate) fn assert_sound(page: &Answer) {
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("script-src"),
        "{policy}"
    );
    for header in page.headers.keys() {
        assert!(!header.as_str().starts_with("access-control-"), "{header}");
    }
    assert_well_formed(&page.text);
    assert!(!page.text.contains("<script"), "{}", page.text);
    let is_tag_with_handler = |part: &str| part.split_once('>').is_some_and(|(tag, _)| tag.contains(" on"));
    assert!(!page.text.split('<').any(is_tag_with_handler), "{}", page.text);
    let labels: Vec<String> = tags(&page.text, "label")
        .iter()
        .map(|label| label["for"].clone())
        .collect();
    for input in tags(&page.text, "input") {
        if input["type"] != "hidden" {
            assert!(labels.contains(&input["id"]), "{input:?}");
            assert!(input.contains_key("autocomplete"), "{input:?}");
        }
    }
    assert_eq!(tags(&page.text, "h1").len(), 1);
    assert!(["en", "ko"].contains(&language(page)));
}

fn language(page: &Answer) -> &str {
    let (_, rest) = page.text.split_once("<html lang=\"").unwrap();
    rest.split_once('"').unwrap().0
}

/// Every element that is opened is closed, in order.
fn assert_well_formed(html: &str) {
    const VOID: [&str; 2] = ["meta", "input"];
    let html = html.strip_prefix("<!DOCTYPE html>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("{part}"));
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

async fn every_page_is_sound_in_both_languages(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    for (language, sign_in, allow) in [
        ("en-GB,en", "Sign in", "Allow"),
        ("ko-KR,ko;q=0.9", "로그인", "허용"),
    ] {
        let mut browser = Browser::new(&harness).await;
        browser.language = language;
        let path = authorize_path(
            FOREIGN,
            &[("scope", "openid profile admin"), ("prompt", "consent")],
        );
        let page = browser.get(&path).await;
        assert_sound(&page);
        assert!(page.text.contains(sign_in) && page.text.contains("app.example"));
        let wrong = browser
            .submit(&page, &[("username", "alice"), ("password", "")])
            .await;
        assert_sound(&wrong);
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
        assert!(wrong.text.contains("href=\"#password\"") && wrong.text.contains("value=\"alice\""));
        let consent = browser
            .submit(&page, &[("username", "alice"), ("password", PASSWORD)])
            .await;
        assert_sound(&consent);
        assert!(consent.text.contains(allow), "{}", consent.text);
        assert_sound(&browser.submit(&consent, &[("decision", "allow")]).await);
        let logout = browser.get("/oauth/logout").await;
        assert_sound(&logout);
        assert_sound(&browser.submit(&logout, &[]).await);
        let error = browser.get("/oauth/authorize?client_id=nobody").await;
        assert_sound(&error);
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
        assert!(error.text.contains(error.header("x-request-id")));
    }
}

async fn a_client_chooses_the_language(harness: Arc<Harness>) {
    let page = Browser::new(&harness)
        .await
        .get(&authorize_path(OWN, &[("ui_locales", "fr ko")]))
        .await;

    assert_eq!(language(&page), "ko");
}

async fn hostile_texts_stay_texts(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;
    let path = authorize_path(
        FOREIGN,
        &[("login_hint", HOSTILE), ("nonce", HOSTILE), ("state2", HOSTILE)],
    );

    let page = browser.get(&path).await;
    let typed = browser
        .submit(&page, &[("username", HOSTILE), ("password", "x")])
        .await;

    for page in [&page, &typed] {
        assert_sound(page);
        assert!(page.text.contains("&lt;b&gt;Foreign&lt;/b&gt;"), "{}", page.text);
        assert!(
            page.text.contains("value=\"&quot;&gt;&lt;script&gt;"),
            "{}",
            page.text
        );
    }
}

async fn all_who_fail_get_the_same_page(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &[]).await;
    harness
        .sql("UPDATE users SET disabled = (1 = 1) WHERE username = 'alice'")
        .await;
    let mut bodies = Vec::new();
    for (username, password) in [
        ("root", "wrong password"),
        ("nobody", PASSWORD),
        ("alice", PASSWORD),
    ] {
        let browser = Browser::new(&harness).await;
        let page = browser.get(&authorize_path(OWN, &[])).await;
        let answer = browser
            .submit(&page, &[("username", username), ("password", password)])
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(asks_to_sign_in(&answer) && browser.cookie("__Host-gatelog").is_none());
        let token = &Form::of(&answer.text).hidden[0].1;
        bodies.push(
            answer
                .text
                .replace(token.as_str(), "")
                .replace(&format!("value=\"{username}\""), ""),
        );
        assert_eq!(harness.last_event().await["action"], "authn_login_fail");
    }

    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

async fn what_is_not_trusted_is_told_to_nobody_else(harness: Arc<Harness>) {
    let browser = Browser::new(&harness).await;
    let good = authorize_path(OWN, &[]);
    for path in [
        good.replace("app.example", "evil.example"),
        good.replace(OWN, "cli_unknown"),
        good.replace("client_id=", "x="),
        format!("{good}&client_id={OWN}"),
        format!("{good}&redirect_uri=https%3A%2F%2Fevil.example"),
        format!("{good}&x={}", "y".repeat(9000)),
        "/oauth/authorize".into(),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(
            answer.header("location").is_empty() && !answer.text.contains("http-equiv"),
            "{path}"
        );
        assert!(!answer.text.contains("evil.example"), "{path}");
    }
}

async fn the_client_is_told_what_is_wrong_with_state_and_issuer(harness: Arc<Harness>) {
    let browser = Browser::new(&harness).await;
    let good = authorize_path(OWN, &[]);
    for (path, error) in [
        (good.replace("S256", "plain"), "invalid_request"),
        (good.replace("code_challenge=", "x="), "invalid_request"),
        (good.replace("=code&", "=token&"), "unsupported_response_type"),
        (authorize_path(OWN, &[("scope", "rules:write")]), "invalid_scope"),
        (authorize_path(OWN, &[("prompt", "none")]), "login_required"),
        (authorize_path(OWN, &[("resource", "payroll")]), "invalid_target"),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(led_to(&answer).starts_with(CALLBACK));
        assert_eq!(answered(&answer, "error").unwrap(), error, "{path}");
        assert_eq!(answered(&answer, "state").unwrap(), "s&\"<t>");
        assert_eq!(answered(&answer, "iss").unwrap(), "https://gate.example");
    }
}

async fn a_request_by_form_becomes_one_by_link(harness: Arc<Harness>) {
    let path = authorize_path(OWN, &[("scope", "openid")]);
    let (path, query) = path.split_once('?').unwrap();
    let fields: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let browser = Browser::new(&harness).await;

    let answer = browser.post_from_elsewhere(path, &fields).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(asks_to_sign_in(&browser.get(answer.header("location")).await));
}

async fn a_form_of_another_site_or_browser_signs_nobody_in(harness: Arc<Harness>) {
    harness.set_up().await;
    let victim = Browser::new(&harness).await;
    let page = victim.get(&authorize_path(OWN, &[])).await;
    let form = Form::of(&page.text);
    let attacker = Browser::new(&harness).await;
    let foreign = Form::of(&attacker.get(&authorize_path(OWN, &[])).await.text);
    let typed = [("username", "root"), ("password", PASSWORD)];
    let with = |token: &str| {
        let mut fields = vec![("form_token".to_owned(), token.to_owned())];
        fields.extend(
            typed
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        fields
    };
    let own = form.hidden[0].1.clone();
    let other_request = form.action.replace("state=s", "state=t");

    for (path, token, from_elsewhere) in [
        (&form.action, &own, true),
        (&form.action, &foreign.hidden[0].1, false),
        (&form.action, &String::new(), false),
        (&other_request, &own, false),
    ] {
        let fields = with(token);
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = if from_elsewhere {
            victim.post_from_elsewhere(path, &fields).await
        } else {
            victim.post(path, &fields).await
        };
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(asks_to_sign_in(&answer) && victim.cookie("__Host-gatelog").is_none());
    }
    let late = victim.submit(&page, &typed).await;
    assert!(answered(&late, "code").is_some());
}

async fn each_sign_in_makes_a_new_session_and_ends_the_former(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let former = browser.cookie("__Host-gatelog").unwrap();

    let answer = browser
        .sign_in(&authorize_path(OWN, &[("prompt", "login")]), "root")
        .await;

    assert!(answered(&answer, "code").is_some());
    assert_ne!(browser.cookie("__Host-gatelog").unwrap(), former);
    let thief = Browser::new(&harness).await;
    thief.set_cookie("__Host-gatelog", &former);
    assert!(asks_to_sign_in(&thief.get(&authorize_path(OWN, &[])).await));
}

async fn a_value_that_somebody_put_there_becomes_no_session(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;
    let fixed = "A".repeat(43);
    browser.set_cookie("__Host-gatelog", &fixed);

    browser.sign_in(&authorize_path(OWN, &[]), "root").await;

    assert_ne!(browser.cookie("__Host-gatelog").unwrap(), fixed);
}

async fn a_session_lasts_an_hour_unused_and_a_day_at_most(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    for _ in 0..24 {
        harness.wait(Duration::from_mins(59));
        assert!(answered(&browser.get(&authorize_path(OWN, &[])).await, "code").is_some());
    }
    harness.wait(Duration::from_mins(24));
    harness.service.upkeep().await;
    assert!(asks_to_sign_in(&browser.get(&authorize_path(OWN, &[])).await));

    let again = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    assert!(answered(&again, "code").is_some());
    harness.wait(Duration::from_hours(1));
    assert!(asks_to_sign_in(&browser.get(&authorize_path(OWN, &[])).await));
}

async fn a_client_can_ask_for_a_recent_sign_in(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    harness.wait(Duration::from_secs(30));

    let path = |max_age| authorize_path(OWN, &[("max_age", max_age)]);
    assert!(answered(&browser.get(&path("30")).await, "code").is_some());
    assert!(asks_to_sign_in(&browser.get(&path("29")).await));
    assert!(answered(&browser.sign_in(&path("0"), "root").await, "code").is_some());
}

/// What ends a user's sessions ends that of the browser too, and the codes that came from it.
async fn nobody_stays_signed_in_who_should_not(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let path = authorize_path(OWN, &[]);
    let code = answered(&browser.get(&path).await, "code").unwrap();
    harness
        .sql("UPDATE users SET disabled = (1 = 1) WHERE username = 'root'")
        .await;
    assert!(asks_to_sign_in(&browser.get(&path).await));
    assert_eq!(
        redeem(&harness, OWN, &code).await.text_of("error"),
        "invalid_grant"
    );
    harness
        .sql("UPDATE users SET disabled = (1 = 0) WHERE username = 'root'")
        .await;

    let code = answered(&browser.get(&path).await, "code").unwrap();
    harness
        .sql("UPDATE users SET password_hash = 'another' WHERE username = 'root'")
        .await;
    assert!(asks_to_sign_in(&browser.get(&path).await));
    assert_eq!(
        redeem(&harness, OWN, &code).await.text_of("error"),
        "invalid_grant"
    );
}

async fn ending_all_sessions_ends_that_of_the_browser(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let path = authorize_path(OWN, &[]);
    for scope in ["others", "global"] {
        assert!(answered(&browser.get(&path).await, "code").is_some());
        let token = harness.log_in("root").await.text_of("access_token");
        let ended = harness
            .post_as(&format!("/v1/logout?scope={scope}"), &token, &json!({}))
            .await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert!(asks_to_sign_in(&browser.get(&path).await), "{scope}");
        browser.sign_in(&path, "root").await;
    }
}

async fn signing_out_of_a_client_signs_out_of_the_browser(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let path = authorize_path(OWN, &[]);
    let code = answered(&browser.get(&path).await, "code").unwrap();
    let token = redeem(&harness, OWN, &code).await.text_of("access_token");

    harness.post_as("/v1/logout", &token, &json!({})).await;

    assert!(asks_to_sign_in(&browser.get(&path).await));
}

async fn signing_out_of_the_browser_ends_what_was_opened_from_it(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let code = answered(&browser.get(&authorize_path(OWN, &[])).await, "code").unwrap();
    let opened = redeem(&harness, OWN, &code).await;
    let apart = harness.log_in("root").await;
    let page = browser.get("/oauth/logout").await;

    assert_eq!(
        browser.post("/oauth/logout", &[]).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(answered(&browser.get(&authorize_path(OWN, &[])).await, "code").is_some());
    let answer = browser.submit(&page, &[]).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert!(browser.cookie("__Host-gatelog").is_none());
    let status = async |answer: &Answer| {
        let token = answer.text_of("access_token");
        harness.get_as("/v1/sessions", &token).await.status
    };
    assert_eq!(status(&opened).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&apart).await, StatusCode::OK);
    assert_eq!(harness.events_of("authn_logout").await.len(), 1);
    assert!(asks_to_sign_in(&browser.get(&authorize_path(OWN, &[])).await));
}

fn asks_for_consent(answer: &Answer) -> bool {
    answer.text.contains("name=\"decision\"")
}

async fn consent_is_asked_once_for_what_it_covers(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let path = |more: &[(&str, &str)]| authorize_path(FOREIGN, &[&[("scope", "openid")], more].concat());
    let page = browser.get(&path(&[])).await;
    assert!(asks_for_consent(&page));
    let silent = browser.get(&path(&[("prompt", "none")])).await;
    assert_eq!(answered(&silent, "error").unwrap(), "consent_required");
    let denied = browser.submit(&page, &[("decision", "deny")]).await;
    assert_eq!(answered(&denied, "error").unwrap(), "access_denied");
    assert!(asks_for_consent(&browser.get(&path(&[])).await));

    let allowed = browser.submit(&page, &[("decision", "allow")]).await;

    assert!(answered(&allowed, "code").is_some());
    assert!(answered(&browser.get(&path(&[("prompt", "none")])).await, "code").is_some());
    let wider = authorize_path(FOREIGN, &[("scope", "openid profile")]);
    for more in [
        wider,
        path(&[("resource", "orders")]),
        path(&[("prompt", "consent")]),
    ] {
        assert!(asks_for_consent(&browser.get(&more).await), "{more}");
    }
    assert_eq!(harness.events_of("consent_granted").await.len(), 1);
}

async fn consent_can_be_taken_back_with_all_that_came_of_it(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let path = authorize_path(FOREIGN, &[("scope", "openid")]);
    let page = browser.get(&path).await;
    let allowed = browser.submit(&page, &[("decision", "allow")]).await;
    let code = answered(&allowed, "code").unwrap();
    let opened = redeem(&harness, FOREIGN, &code).await.text_of("access_token");
    let waiting = answered(&browser.get(&path).await, "code").unwrap();
    let token = harness.log_in("root").await.text_of("access_token");
    let listed = harness.get_as("/v1/consents", &token).await.json()["consents"][0].clone();
    assert_eq!(
        (&listed["client_id"], &listed["scopes"]),
        (&json!(FOREIGN), &json!(["openid"]))
    );

    let revoke = async || {
        let request = Request::delete(format!("/v1/consents/{FOREIGN}"));
        let request = request.header("authorization", format!("Bearer {token}"));
        harness.send(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(revoke().await, StatusCode::NO_CONTENT);
    assert_eq!(revoke().await, StatusCode::NOT_FOUND);

    assert!(asks_for_consent(&browser.get(&path).await));
    let user = harness.get_as("/oauth/userinfo", &opened).await;
    assert_eq!(user.status, StatusCode::UNAUTHORIZED);
    let refused = redeem(&harness, FOREIGN, &waiting).await;
    assert_eq!(refused.text_of("error"), "invalid_grant");
    assert_eq!(harness.events_of("consent_revoked").await.len(), 1);
}

async fn a_forged_consent_gives_nothing(harness: Arc<Harness>) {
    let browser = signed_in(&harness).await;
    let page = browser
        .get(&authorize_path(FOREIGN, &[("scope", "openid")]))
        .await;
    let form = Form::of(&page.text);
    let token = form.hidden[0].1.as_str();
    let wider = form.action.replace("scope=openid", "scope=openid+admin");
    for (path, token, from_elsewhere) in [
        (&form.action, "", false),
        (&wider, token, false),
        (&form.action, token, true),
    ] {
        let fields = [("form_token", token), ("decision", "allow")];
        let answer = if from_elsewhere {
            browser.post_from_elsewhere(path, &fields).await
        } else {
            browser.post(path, &fields).await
        };
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!answer.text.contains("code=code_"), "{path}");
    }

    assert_eq!(harness.number("SELECT COUNT(*) FROM consents").await, 0);
}

async fn the_host_of_a_request_changes_nothing(harness: Arc<Harness>) {
    let usual = harness.get("/.well-known/openid-configuration").await;
    let request = Request::get("/.well-known/openid-configuration")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example");

    let answer = harness.send(request.body(Body::empty()).unwrap()).await;

    assert_eq!(answer.text, usual.text);
    assert!(answer.text.contains("https://gate.example/oauth/authorize"));
    drop(Browser::new(&harness).await);
    let page = Request::get(authorize_path(OWN, &[])).header("host", "evil.example");
    let page = harness.send(page.body(Body::empty()).unwrap()).await;
    assert!(asks_to_sign_in(&page) && !page.text.contains("evil.example"));
}

/// Every address in the configuration is one that answers.
async fn only_what_works_is_offered(harness: Arc<Harness>) {
    let configuration = harness.get("/.well-known/openid-configuration").await.json();
    for (name, value) in configuration.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let path = value
                .as_str()
                .unwrap()
                .strip_prefix("https://gate.example")
                .unwrap();
            let status = harness.get(path).await.status;
            assert_ne!(status, StatusCode::NOT_FOUND, "{name}");
        }
    }
    assert_eq!(configuration["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(
        configuration["authorization_response_iss_parameter_supported"],
        true
    );
}

on_both_databases!(
    every_page_is_sound_in_both_languages,
    a_client_chooses_the_language,
    hostile_texts_stay_texts,
    all_who_fail_get_the_same_page,
    what_is_not_trusted_is_told_to_nobody_else,
    the_client_is_told_what_is_wrong_with_state_and_issuer,
    a_request_by_form_becomes_one_by_link,
    a_form_of_another_site_or_browser_signs_nobody_in,
    each_sign_in_makes_a_new_session_and_ends_the_former,
    a_value_that_somebody_put_there_becomes_no_session,
    a_session_lasts_an_hour_unused_and_a_day_at_most,
    a_client_can_ask_for_a_recent_sign_in,
    nobody_stays_signed_in_who_should_not,
    ending_all_sessions_ends_that_of_the_browser,
    signing_out_of_a_client_signs_out_of_the_browser,
    signing_out_of_the_browser_ends_what_was_opened_from_it,
    consent_is_asked_once_for_what_it_covers,
    consent_can_be_taken_back_with_all_that_came_of_it,
    a_forged_consent_gives_nothing,
    the_host_of_a_request_changes_nothing,
    only_what_works_is_offered,
);
