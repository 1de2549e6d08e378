//! Sign-in with a second factor: what it takes, what it gives, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD, unverified_claims};
use crate::second_factor_harness::{first_half, root_with_factor, second_half, sign_in, signed_in, ticket};

/// Codes that may be wrong at once.
const FREE: usize = 5;

const MINUTE: Duration = Duration::from_mins(1);

/// The body without what differs from request to request.
fn plain(answer: &Answer) -> (StatusCode, Value) {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    (answer.status, body)
}

async fn a_password_alone_opens_nothing_and_a_code_after_it_does(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let sessions = "SELECT COUNT(*) FROM sessions";
    let before = harness.number(sessions).await;

    let half = first_half(&harness, &json!({"audience": "orders"})).await;
    assert_eq!(
        (half.status, half.code().as_str()),
        (StatusCode::FORBIDDEN, "mfa_required")
    );
    assert_eq!(half.header("content-type"), "application/problem+json");
    assert_eq!(half.header("cache-control"), "no-store");
    assert_eq!(half.json()["expires_in"], 300);
    assert_eq!(half.json()["request_id"], half.header("x-request-id"));
    assert!(half.json().get("access_token").is_none());
    assert_eq!(harness.number(sessions).await, before);
    harness.wait(MINUTE);
    let whole = second_half(&harness, &half.text_of("ticket"), &factor.app.code(&harness)).await;

    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text);
    let claims = unverified_claims(&whole.text_of("access_token"));
    assert_eq!(claims["aud"], json!(["orders"]));
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(claims["acr"], "urn:gatelog:acr:mfa");
    assert_eq!(claims["auth_time"], claims["iat"]);
    let actions: Vec<Value> = harness
        .events()
        .await
        .into_iter()
        .map(|event| event["action"].clone())
        .collect();
    assert!(
        actions.ends_with(&[
            json!("authn_mfa_challenge"),
            json!("authn_mfa_success"),
            json!("authn_login_success"),
            json!("authn_token_created"),
        ]),
        "{actions:?}"
    );
    let challenge = harness.events_of("authn_mfa_challenge").await.pop().unwrap();
    assert_eq!(challenge["actor"]["identity"], "claimed");
    assert_eq!(challenge["actor"]["sub"], claims["sub"]);
    let success = harness.events_of("authn_mfa_success").await.pop().unwrap();
    assert_eq!(success["detail"], json!({"method": "otp"}));
}

async fn a_refresh_keeps_what_was_proved_and_makes_it_no_younger(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let answer = signed_in(&harness, &factor.app).await;
    let before = unverified_claims(&answer.text_of("access_token"));

    let refreshed = harness.refresh(&answer.text_of("refresh_token")).await;

    let after = unverified_claims(&refreshed.text_of("access_token"));
    for claim in ["amr", "acr", "auth_time", "sid"] {
        assert_eq!(after[claim], before[claim], "{claim}");
    }
    let listed = harness
        .get_as("/v1/sessions", &refreshed.text_of("access_token"))
        .await
        .json();
    assert_eq!(listed["sessions"][0]["amr"], json!(["pwd", "otp", "mfa"]));
}

async fn without_a_second_factor_a_sign_in_is_worth_less(harness: Arc<Harness>) {
    let token = harness.set_up().await;

    let claims = unverified_claims(&token);

    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(claims["acr"], "urn:gatelog:acr:pwd");
}

async fn one_step_of_drift_is_taken_and_two_are_not(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    harness.wait(10 * MINUTE);
    for (seconds, is_taken) in [
        (-60, false),
        (60, false),
        (-30, true),
        (30, true),
        // Taken later than that of the step after it: somebody may have seen it.
        (0, false),
    ] {
        let code = factor.app.code_after(&harness, seconds);
        let answer = sign_in(&harness, &code).await;
        assert_eq!(
            answer.status == StatusCode::OK,
            is_taken,
            "{seconds}: {}",
            answer.text
        );
    }
    let failed = harness.events_of("authn_mfa_fail").await;
    let reasons: Vec<_> = failed
        .iter()
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["code_wrong", "code_wrong", "code_replayed"]);
}

async fn the_code_that_confirmed_the_factor_signs_nobody_in(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let confirming = factor.app.code_after(&harness, -30);

    let answer = sign_in(&harness, &confirming).await;

    assert_eq!(answer.code(), "mfa_code_refused");
    assert_eq!(
        harness.events_of("authn_mfa_fail").await[0]["reason"],
        "code_replayed"
    );
}

async fn of_many_who_show_one_code_at_once_on_two_replicas_one_is_let_in(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let other = Arc::new(harness.beside(&harness.settings).await);
    let code = Arc::new(factor.app.code(&harness));
    let mut tickets = Vec::new();
    for _ in 0..FREE {
        tickets.push(ticket(&harness).await);
    }
    let before = harness.events_of("authn_login_success").await.len();

    let attempts: Vec<_> = tickets
        .into_iter()
        .enumerate()
        .map(|(number, ticket)| {
            let replica = Arc::clone(if number % 2 == 0 { &harness } else { &other });
            let code = Arc::clone(&code);
            tokio::spawn(async move { second_half(&replica, &ticket, &code).await })
        })
        .collect();
    let mut granted = 0;
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        granted += usize::from(answer.status == StatusCode::OK);
        if answer.status != StatusCode::OK {
            assert_eq!(answer.code(), "mfa_code_refused");
        }
    }

    assert_eq!(granted, 1);
    assert_eq!(harness.events_of("authn_login_success").await.len(), before + 1);
    assert_eq!(harness.events_of("authn_mfa_fail").await.len(), FREE - 1);
}

async fn a_ticket_is_good_for_one_sign_in_even_with_two_codes_at_once(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let ticket = Arc::new(ticket(&harness).await);
    let codes = vec![
        factor.app.code(&harness),
        factor.recovery_codes[0].clone(),
        factor.recovery_codes[1].clone(),
    ];

    let attempts: Vec<_> = codes
        .into_iter()
        .map(|code| {
            let (harness, ticket) = (Arc::clone(&harness), Arc::clone(&ticket));
            tokio::spawn(async move { second_half(&harness, &ticket, &code).await })
        })
        .collect();
    let mut granted = 0;
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        granted += usize::from(answer.status == StatusCode::OK);
        assert!(
            answer.status == StatusCode::OK || answer.code() == "mfa_ticket_refused",
            "{}",
            answer.text
        );
    }

    assert_eq!(granted, 1);
    // What did not get in used up no code.
    let used = 10 - harness.number("SELECT COUNT(*) FROM recovery_codes").await;
    assert!(used <= 1);
    harness.wait(MINUTE);
    let again = second_half(&harness, &ticket, &factor.app.code(&harness)).await;
    assert_eq!(again.code(), "mfa_ticket_refused");
}

async fn a_ticket_is_good_for_five_minutes(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let (in_time, late) = (ticket(&harness).await, ticket(&harness).await);
    harness.wait(Duration::from_secs(299));
    harness.service.upkeep().await;
    let answer = second_half(&harness, &in_time, &factor.app.code(&harness)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);

    harness.wait(Duration::from_secs(1));
    let answer = second_half(&harness, &late, &factor.app.code_after(&harness, 30)).await;

    assert_eq!(answer.code(), "mfa_ticket_refused");
    assert_eq!(harness.last_event().await["reason"], "ticket_refused");
    harness.service.upkeep().await;
    assert_eq!(harness.number("SELECT COUNT(*) FROM login_tickets").await, 0);
}

async fn a_ticket_ends_with_the_password_and_with_the_user(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let first = ticket(&harness).await;
    harness
        .sql("UPDATE users SET disabled = (1 = 1) WHERE username = 'root'")
        .await;
    let disabled = second_half(&harness, &first, &factor.app.code(&harness)).await;
    harness
        .sql("UPDATE users SET disabled = (1 = 0) WHERE username = 'root'")
        .await;
    let enabled = second_half(&harness, &first, &factor.app.code(&harness)).await;
    let admin = enabled.text_of("access_token");
    harness.wait(MINUTE);
    let second = ticket(&harness).await;
    let id = unverified_claims(&admin)["sub"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/users/{id}/password-reset");
    let reset = harness.post_as(&path, &admin, &json!({})).await;
    let body = json!({"token": reset.text_of("password_token"), "password": "another password, long enough"});
    let set = harness.post("/v1/password", &body).await;
    assert_eq!(set.status, StatusCode::NO_CONTENT, "{}", set.text);

    let changed = second_half(&harness, &second, &factor.app.code(&harness)).await;

    assert_eq!(disabled.code(), "mfa_ticket_refused");
    assert_eq!(changed.code(), "mfa_ticket_refused");
}

async fn wrong_codes_are_bounded_whatever_the_password_does_in_between(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let wrong = factor.app.wrong_code(&harness);
    for _ in 0..FREE {
        // Each password is right, and forgives no code.
        assert_eq!(sign_in(&harness, &wrong).await.code(), "mfa_code_refused");
    }

    let refused = sign_in(&harness, &factor.app.code(&harness)).await;

    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
    );
    let wait = refused.header("retry-after").parse().unwrap();
    assert_eq!(wait, 15);
    let locked = harness.events_of("authn_login_lock").await.pop().unwrap();
    assert_eq!(locked["reason"], "second_factor");
    harness.wait(Duration::from_secs(wait));
    signed_in(&harness, &factor.app).await;
    for _ in 0..FREE {
        assert_eq!(sign_in(&harness, &wrong).await.code(), "mfa_code_refused");
    }
}

async fn codes_tried_at_once_are_not_free(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let wrong = Arc::new(factor.app.wrong_code(&harness));
    let ticket = Arc::new(ticket(&harness).await);
    let attempts: Vec<_> = (0..3 * FREE)
        .map(|_| {
            let (harness, ticket, wrong) = (Arc::clone(&harness), Arc::clone(&ticket), Arc::clone(&wrong));
            tokio::spawn(async move { second_half(&harness, &ticket, &wrong).await.code() })
        })
        .collect();

    let mut verified = 0;
    for attempt in attempts {
        verified += usize::from(attempt.await.unwrap() == "mfa_code_refused");
    }

    assert_eq!(verified, FREE);
}

async fn a_recovery_code_is_good_once_and_says_how_many_are_left(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let typed = factor.recovery_codes[3].to_lowercase().replace('-', " ");

    let answer = sign_in(&harness, &typed).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let claims = unverified_claims(&answer.text_of("access_token"));
    assert_eq!(claims["amr"], json!(["pwd", "recovery", "mfa"]));
    assert_eq!(claims["acr"], "urn:gatelog:acr:mfa");
    let success = harness.events_of("authn_mfa_success").await.pop().unwrap();
    assert_eq!(success["detail"], json!({"method": "recovery", "codes_left": 9}));
    let left = harness
        .get_as("/v1/mfa/recovery-codes", &answer.text_of("access_token"))
        .await;
    assert_eq!(left.json(), json!({"left": 9}));
    let again = sign_in(&harness, &factor.recovery_codes[3]).await;
    assert_eq!(again.code(), "mfa_code_refused");
    assert_eq!(
        sign_in(&harness, &factor.recovery_codes[4]).await.status,
        StatusCode::OK
    );
}

async fn whatever_is_wrong_with_a_code_the_answer_is_the_same(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let used = factor.app.code(&harness);
    assert_eq!(sign_in(&harness, &used).await.status, StatusCode::OK);
    assert_eq!(
        sign_in(&harness, &factor.recovery_codes[0]).await.status,
        StatusCode::OK
    );
    let mut answers = Vec::new();
    for wrong in [
        factor.app.wrong_code(&harness),
        used,
        factor.recovery_codes[0].clone(),
        "0000-0000-0000".into(),
        "not a code at all".into(),
        String::new(),
        "１２３４５６".into(),
        "nul\0".into(),
    ] {
        answers.push(plain(&sign_in(&harness, &wrong).await));
        harness
            .sql("DELETE FROM throttle_buckets WHERE kind = 'second_factor'")
            .await;
    }

    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].1["code"], "mfa_code_refused");
}

/// The matrix of what is a token for what: a ticket is nothing else, and nothing else is a ticket.
async fn a_ticket_is_no_other_token_and_no_other_token_is_a_ticket(harness: Arc<Harness>) {
    let setup = harness.setup_token().await;
    let factor = root_with_factor(&harness).await;
    let whole = signed_in(&harness, &factor.app).await;
    let admin = whole.text_of("access_token");
    let invited = json!({"username": "bob", "roles": []});
    let password = harness
        .post_as("/v1/admin/users", &admin, &invited)
        .await
        .text_of("password_token");
    let ticket = ticket(&harness).await;
    assert!(ticket.starts_with("mfa_"));

    for path in [
        "/v1/sessions",
        "/oauth/userinfo",
        "/v1/admin/users",
        "/v1/enforcement?since=0",
    ] {
        assert_eq!(
            harness.get_as(path, &ticket).await.status,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    assert_eq!(harness.refresh(&ticket).await.json()["error"], "invalid_grant");
    let as_password = json!({"token": ticket, "password": "a password, long enough"});
    assert_eq!(
        harness.post("/v1/password", &as_password).await.code(),
        "one_time_token_refused"
    );
    let as_code = [
        ("grant_type", "authorization_code"),
        ("client_id", crate::browser::OWN),
        ("code", ticket.as_str()),
        ("code_verifier", crate::browser::VERIFIER),
        ("redirect_uri", crate::browser::CALLBACK),
    ];
    crate::browser::Browser::new(&harness).await;
    assert_eq!(
        harness.token_request(&as_code).await.json()["error"],
        "invalid_grant"
    );
    let code = factor.app.code(&harness);
    for other in [
        setup,
        password,
        admin,
        whole.text_of("refresh_token"),
        String::new(),
        "mfa_x".into(),
    ] {
        let refused = second_half(&harness, &other, &code).await;
        assert_eq!(refused.code(), "mfa_ticket_refused", "{other}");
    }
    assert_eq!(second_half(&harness, &ticket, &code).await.status, StatusCode::OK);
}

async fn a_known_device_still_needs_the_code_and_is_known_by_the_second_half(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let body = json!({
        "ticket": ticket(&harness).await, "code": factor.app.code(&harness), "remember_device": true,
    });
    let device = harness.post("/v1/login/mfa", &body).await.text_of("device_token");

    let half = first_half(&harness, &json!({"device_token": device})).await;

    assert_eq!(half.code(), "mfa_required");
}

async fn who_has_no_right_password_does_not_learn_of_the_factor(harness: Arc<Harness>) {
    root_with_factor(&harness).await;
    let wrong = json!({"password": "a wrong password, long"});

    let known = first_half(&harness, &wrong).await;
    let unknown = harness
        .post("/v1/login", &json!({"username": "nobody", "password": PASSWORD}))
        .await;

    assert_eq!(plain(&known), plain(&unknown));
    assert_eq!(known.code(), "bad_credentials");
}

/// Python's own HMAC, which knows nothing of the library that verifies.
async fn an_authenticator_of_somebody_else_shows_the_same_codes(harness: Arc<Harness>) {
    const SCRIPT: &str = "
import base64, hashlib, hmac, struct, sys, urllib.parse
uri, now = sys.argv[1], int(sys.argv[2])
query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))
key = base64.b32decode(query['secret'] + '=' * (-len(query['secret']) % 8))
mac = hmac.new(key, struct.pack('>Q', now // int(query.get('period', 30))), hashlib.sha1).digest()
at = mac[-1] & 15
print(f\"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10 ** int(query.get('digits', 6)):06}\")
";
    let Some(python) = crate::databases::server("GATELOG_TEST_PYTHON") else {
        return;
    };
    let factor = root_with_factor(&harness).await;
    let now = shared::clock::Clock::now(&*harness.clock)
        .as_seconds()
        .to_string();
    let output = std::process::Command::new(python)
        .args(["-c", SCRIPT, &factor.app.uri, &now])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let code = String::from_utf8(output.stdout).unwrap();

    assert_eq!(sign_in(&harness, code.trim()).await.status, StatusCode::OK);
}

on_both_databases!(
    a_password_alone_opens_nothing_and_a_code_after_it_does,
    a_refresh_keeps_what_was_proved_and_makes_it_no_younger,
    without_a_second_factor_a_sign_in_is_worth_less,
    one_step_of_drift_is_taken_and_two_are_not,
    the_code_that_confirmed_the_factor_signs_nobody_in,
    of_many_who_show_one_code_at_once_on_two_replicas_one_is_let_in,
    a_ticket_is_good_for_one_sign_in_even_with_two_codes_at_once,
    a_ticket_is_good_for_five_minutes,
    a_ticket_ends_with_the_password_and_with_the_user,
    wrong_codes_are_bounded_whatever_the_password_does_in_between,
    codes_tried_at_once_are_not_free,
    a_recovery_code_is_good_once_and_says_how_many_are_left,
    whatever_is_wrong_with_a_code_the_answer_is_the_same,
    a_ticket_is_no_other_token_and_no_other_token_is_a_ticket,
    a_known_device_still_needs_the_code_and_is_known_by_the_second_half,
    who_has_no_right_password_does_not_learn_of_the_factor,
    an_authenticator_of_somebody_else_shows_the_same_codes,
);
