//! The second factor on the hosted pages, and what clients ask for with `acr_values`, `max_age` and `prompt`.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, CALLBACK, Form, OWN, answered, authorize_path, led_to, redeem};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, unverified_claims};
use crate::hosted_page::assert_sound;
use crate::second_factor_harness::{Factor, root_with_factor, second_half, ticket};

const STEP: Duration = Duration::from_secs(30);
const MFA: (&str, &str) = ("acr_values", "urn:gatelog:acr:mfa");

fn asks_for_password(answer: &Answer) -> bool {
    answer.text.contains("autocomplete=\"current-password\"")
}

fn asks_for_code(answer: &Answer) -> bool {
    answer.text.contains("autocomplete=\"one-time-code\"")
}

async fn type_code(browser: &Browser, page: &Answer, code: &str) -> Answer {
    browser.submit(page, &[("code", code)]).await
}

/// A browser that has just given both.
async fn signed_in(harness: &Arc<Harness>, factor: &Factor, path: &str) -> (Browser, Answer) {
    let browser = Browser::new(harness).await;
    let page = browser.sign_in(path, "root").await;
    assert!(asks_for_code(&page), "{}", page.text);
    let answer = type_code(&browser, &page, &factor.app.code(harness)).await;
    harness.wait(STEP);
    (browser, answer)
}

async fn the_page_asks_for_a_code_and_the_client_is_told_of_both(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let path = authorize_path(OWN, &[("scope", "openid")]);
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&path, "root").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(browser.cookie("__Host-gatelog").is_none());

    let answer = type_code(&browser, &page, &factor.app.code(&harness)).await;

    let code = answered(&answer, "code").unwrap();
    assert!(browser.cookie("__Host-gatelog").is_some());
    let tokens = redeem(&harness, OWN, &code).await;
    for token in ["access_token", "id_token"] {
        let claims = unverified_claims(&tokens.text_of(token));
        assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]), "{token}");
        assert_eq!(claims["acr"], "urn:gatelog:acr:mfa", "{token}");
    }
    let silent = browser
        .get(&authorize_path(OWN, &[("prompt", "none"), MFA]))
        .await;
    assert!(answered(&silent, "code").is_some());
}

async fn a_recovery_code_does_on_the_page_as_well(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;

    let answer = type_code(&browser, &page, &factor.recovery_codes[0]).await;

    let code = answered(&answer, "code").unwrap();
    let tokens = redeem(&harness, OWN, &code).await;
    let claims = unverified_claims(&tokens.text_of("access_token"));
    assert_eq!(claims["amr"], json!(["pwd", "recovery", "mfa"]));
}

async fn the_page_is_sound_in_both_languages_and_asks_again(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let wrong_code = factor.app.wrong_code(&harness);
    for (language, title) in [("en", "One more step"), ("ko", "2단계 인증")] {
        let mut browser = Browser::new(&harness).await;
        browser.language = language;
        let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
        assert_sound(&page);
        assert!(page.text.contains(title), "{}", page.text);

        let missing = type_code(&browser, &page, " ").await;
        let wrong = type_code(&browser, &missing, &wrong_code).await;

        assert_sound(&missing);
        assert_sound(&wrong);
        assert_eq!(
            (missing.status, wrong.status),
            (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN)
        );
        assert!(wrong.text.contains("href=\"#code\"") && !wrong.text.contains(&wrong_code));
        assert_eq!(Form::of(&wrong.text).hidden.len(), 2);
        let right = type_code(&browser, &wrong, &factor.app.code(&harness)).await;
        assert!(answered(&right, "code").is_some());
        harness.wait(STEP);
    }
}

async fn too_many_wrong_codes_are_refused_on_the_page(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let wrong = factor.app.wrong_code(&harness);
    let browser = Browser::new(&harness).await;
    let mut page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    for _ in 0..5 {
        page = type_code(&browser, &page, &wrong).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }

    let refused = type_code(&browser, &page, &factor.app.code(&harness)).await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(asks_for_code(&refused) && !refused.header("retry-after").is_empty());
    assert_sound(&refused);
    harness.wait(Duration::from_secs(15));
    let right = type_code(&browser, &refused, &factor.app.code(&harness)).await;
    assert!(answered(&right, "code").is_some());
}

async fn whoever_takes_too_long_begins_again(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    harness.wait(Duration::from_mins(5));

    let answer = type_code(&browser, &page, &factor.app.code(&harness)).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(asks_for_password(&answer));
    assert_sound(&answer);
}

async fn a_form_of_another_site_browser_or_request_signs_nobody_in(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    let form = Form::of(&page.text);
    let code = factor.app.code(&harness);
    let mut fields: Vec<(&str, &str)> = form
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("code", &code));
    let other_request = form.action.replace("state=s", "state=t");
    let other_browser = Browser::new(&harness).await;
    other_browser.get(&authorize_path(OWN, &[])).await;

    for answer in [
        browser.post_from_elsewhere(&form.action, &fields).await,
        browser.post(&other_request, &fields).await,
        other_browser.post(&form.action, &fields).await,
    ] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(asks_for_password(&answer));
    }
    assert!(browser.cookie("__Host-gatelog").is_none() && other_browser.cookie("__Host-gatelog").is_none());
    // None of that used the code up.
    assert!(answered(&browser.post(&form.action, &fields).await, "code").is_some());
}

async fn a_ticket_of_a_page_is_none_of_the_api_and_the_other_way_round(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let of_api = ticket(&harness).await;
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    let form = Form::of(&page.text);
    let of_page = form
        .hidden
        .iter()
        .find(|(name, _)| name == "ticket")
        .unwrap()
        .1
        .clone();
    let form_token = form
        .hidden
        .iter()
        .find(|(name, _)| name == "form_token")
        .unwrap()
        .1
        .clone();
    let code = factor.app.code(&harness);

    let api = second_half(&harness, &of_page, &code).await;
    let fields = [
        ("form_token", form_token.as_str()),
        ("ticket", &of_api),
        ("code", &code),
    ];
    let paged = browser.post(&form.action, &fields).await;

    assert_eq!(api.code(), "mfa_ticket_refused");
    assert!(asks_for_password(&paged));
}

async fn a_level_that_the_user_cannot_reach_is_told_to_the_client(harness: Arc<Harness>) {
    harness.set_up().await;
    let browser = Browser::new(&harness).await;

    let answer = browser.sign_in(&authorize_path(OWN, &[MFA]), "root").await;

    assert!(led_to(&answer).starts_with(CALLBACK));
    assert_eq!(
        answered(&answer, "error").unwrap(),
        "unmet_authentication_requirements"
    );
    for acr_values in [
        "urn:gatelog:acr:mfa urn:gatelog:acr:pwd",
        "phr",
        "urn:gatelog:acr:pwd",
    ] {
        let path = authorize_path(OWN, &[("acr_values", acr_values), ("prompt", "none")]);
        assert!(
            answered(&browser.get(&path).await, "code").is_some(),
            "{acr_values}"
        );
    }
}

async fn max_age_and_prompt_ask_for_both_again(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let (browser, answer) = signed_in(&harness, &factor, &authorize_path(OWN, &[])).await;
    assert!(answered(&answer, "code").is_some());
    harness.wait(Duration::from_mins(2));
    for more in [("max_age", "60"), ("prompt", "login")] {
        let path = authorize_path(OWN, &[more, ("scope", "openid")]);
        let page = browser.get(&path).await;
        assert!(asks_for_password(&page), "{more:?}");
        let page = browser.sign_in(&path, "root").await;
        assert!(asks_for_code(&page), "{more:?}");

        let answer = type_code(&browser, &page, &factor.app.code(&harness)).await;

        let code = answered(&answer, "code").unwrap();
        let id = unverified_claims(&redeem(&harness, OWN, &code).await.text_of("id_token"));
        assert_eq!(id["auth_time"], id["iat"], "{more:?}");
        harness.wait(Duration::from_mins(2));
    }
}

async fn levels_are_advertised(harness: Arc<Harness>) {
    let configuration = harness.get("/.well-known/openid-configuration").await.json();

    assert_eq!(
        configuration["acr_values_supported"],
        json!(["urn:gatelog:acr:pwd", "urn:gatelog:acr:mfa"])
    );
    assert!(
        configuration["claims_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("acr"))
    );
}

on_both_databases!(
    the_page_asks_for_a_code_and_the_client_is_told_of_both,
    a_recovery_code_does_on_the_page_as_well,
    the_page_is_sound_in_both_languages_and_asks_again,
    too_many_wrong_codes_are_refused_on_the_page,
    whoever_takes_too_long_begins_again,
    a_form_of_another_site_browser_or_request_signs_nobody_in,
    a_ticket_of_a_page_is_none_of_the_api_and_the_other_way_round,
    a_level_that_the_user_cannot_reach_is_told_to_the_client,
    max_age_and_prompt_ask_for_both_again,
    levels_are_advertised,
);
