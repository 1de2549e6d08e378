//! Adding and removing a second factor: who may, what it ends, and what is left of it.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, FOREIGN, OWN, answered, authorize_path, redeem};
use crate::client_harness::{TestClient, token_of};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, Outside, PASSWORD, unverified_claims};
use crate::second_factor_harness::{
    Authenticator, begin, confirm, delete_as, enrol, first_half, root_with_factor, sign_in, signed_in, texts,
    ticket,
};
use crate::users::change;

const MINUTE: Duration = Duration::from_mins(1);

/// Every request that changes what the caller signs in with.
async fn changes(harness: &Harness, bearer: &str) -> Vec<Answer> {
    let password = json!({"current_password": PASSWORD, "password": "short"});
    vec![
        harness.post_as("/v1/password/change", bearer, &password).await,
        begin(harness, bearer).await,
        delete_as(harness, "/v1/mfa/totp", bearer).await,
        harness
            .post_as("/v1/mfa/recovery-codes", bearer, &json!({}))
            .await,
    ]
}

async fn is_alive(harness: &Harness, bearer: &str) -> bool {
    harness.get_as("/v1/sessions", bearer).await.status == StatusCode::OK
}

async fn an_enrolment_is_no_factor_before_it_is_confirmed(harness: Arc<Harness>) {
    let bearer = harness.set_up().await;
    let enrolled = async || harness.get_as("/v1/mfa/totp", &bearer).await.json();

    let begun = begin(&harness, &bearer).await;

    assert_eq!(begun.header("cache-control"), "no-store");
    assert!(
        begun
            .text_of("otpauth_uri")
            .starts_with("otpauth://totp/gate.example:root?secret=")
    );
    assert!(begun.text_of("otpauth_uri").contains(&begun.text_of("secret")));
    assert_eq!(enrolled().await, json!({"enrolled": false, "added_at": null}));
    assert_eq!(first_half(&harness, &json!({})).await.status, StatusCode::OK);
    let app = Authenticator::of(&begun.text_of("otpauth_uri"));
    let confirmed = confirm(&harness, &bearer, &app.code(&harness)).await;
    let codes = texts(&confirmed.json()["recovery_codes"]);
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 14));
    assert_eq!(enrolled().await["enrolled"], true);
    assert_eq!(first_half(&harness, &json!({})).await.code(), "mfa_required");
    let added = harness.events_of("mfa_factor_added").await.pop().unwrap();
    assert_eq!(
        added["detail"],
        json!({
            "before": {"second_factor": false, "recovery_codes": 0},
            "after": {"second_factor": true, "recovery_codes": 10},
        })
    );
    assert_eq!(
        confirm(&harness, &bearer, &app.code(&harness)).await.code(),
        "mfa_enrolment_over"
    );
}

async fn an_enrolment_lasts_ten_minutes_and_a_new_one_voids_it(harness: Arc<Harness>) {
    let bearer = harness.set_up().await;
    let app = |begun: &Answer| Authenticator::of(&begun.text_of("otpauth_uri"));
    let first = app(&begin(&harness, &bearer).await);
    let second = app(&begin(&harness, &bearer).await);
    assert_eq!(
        confirm(&harness, &bearer, &first.code(&harness)).await.code(),
        "mfa_code_refused"
    );
    harness.wait(9 * MINUTE);
    harness.service.upkeep().await;
    // A wrong code has not used the secret up; the sign-in need not be recent any more, since nobody else knows the secret.
    assert_eq!(harness.number("SELECT COUNT(*) FROM totp_enrolments").await, 1);

    harness.wait(MINUTE);
    let late = confirm(
        &harness,
        &harness.log_in("root").await.text_of("access_token"),
        &second.code(&harness),
    )
    .await;

    assert_eq!(late.code(), "mfa_enrolment_over");
    harness.service.upkeep().await;
    assert_eq!(harness.number("SELECT COUNT(*) FROM totp_enrolments").await, 0);
}

async fn codes_of_an_enrolment_are_bounded_too(harness: Arc<Harness>) {
    let bearer = harness.set_up().await;
    let app = Authenticator::of(&begin(&harness, &bearer).await.text_of("otpauth_uri"));
    let wrong = app.wrong_code(&harness);
    for _ in 0..5 {
        assert_eq!(
            confirm(&harness, &bearer, &wrong).await.code(),
            "mfa_code_refused"
        );
    }

    let refused = confirm(&harness, &bearer, &app.code(&harness)).await;

    assert_eq!(refused.code(), "too_many_attempts");
    harness.wait(Duration::from_secs(15));
    assert_eq!(
        confirm(&harness, &bearer, &app.code(&harness)).await.status,
        StatusCode::OK
    );
}

async fn of_two_who_confirm_at_once_one_does(harness: Arc<Harness>) {
    let bearer = Arc::new(harness.set_up().await);
    let app = Authenticator::of(&begin(&harness, &bearer).await.text_of("otpauth_uri"));
    let code = Arc::new(app.code(&harness));
    let attempts: Vec<_> = (0..4)
        .map(|_| {
            let (harness, bearer, code) = (Arc::clone(&harness), Arc::clone(&bearer), Arc::clone(&code));
            tokio::spawn(async move { confirm(&harness, &bearer, &code).await.status })
        })
        .collect();

    let mut statuses = Vec::new();
    for attempt in attempts {
        statuses.push(attempt.await.unwrap());
    }

    statuses.sort();
    assert_eq!(
        statuses,
        [
            StatusCode::OK,
            StatusCode::CONFLICT,
            StatusCode::CONFLICT,
            StatusCode::CONFLICT
        ]
    );
    assert_eq!(harness.number("SELECT COUNT(*) FROM recovery_codes").await, 10);
    assert_eq!(harness.events_of("mfa_factor_added").await.len(), 1);
}

async fn a_change_needs_a_sign_in_of_the_last_five_minutes(harness: Arc<Harness>) {
    harness.set_up().await;
    let answer = harness.log_in("root").await;
    harness.wait(5 * MINUTE);
    let bearer = answer.text_of("access_token");
    assert_eq!(begin(&harness, &bearer).await.status, StatusCode::CREATED);
    harness.wait(Duration::from_secs(1));

    let refreshed = harness.refresh(&answer.text_of("refresh_token")).await;

    for bearer in [bearer, refreshed.text_of("access_token")] {
        for refused in changes(&harness, &bearer).await {
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (StatusCode::UNAUTHORIZED, "reauthentication_required")
            );
            assert_eq!(
                refused.header("www-authenticate"),
                "Bearer realm=\"gatelog\", error=\"insufficient_user_authentication\", max_age=\"300\", \
                 acr_values=\"urn:gatelog:acr:mfa\""
            );
        }
        // Reading is no change.
        assert_eq!(
            harness.get_as("/v1/mfa/totp", &bearer).await.status,
            StatusCode::OK
        );
    }
}

async fn a_change_of_a_factor_needs_the_factor(harness: Arc<Harness>) {
    let password_only = harness.set_up().await;
    let factor = enrol(&harness, &password_only).await;

    for refused in changes(&harness, &password_only).await {
        assert_eq!(refused.code(), "reauthentication_required");
    }
    let bearer = signed_in(&harness, &factor.app).await.text_of("access_token");
    let [password, enrolled, removed, renewed] = changes(&harness, &bearer).await.try_into().unwrap();

    assert_eq!(password.code(), "password_refused", "{}", password.text);
    assert_eq!(enrolled.code(), "mfa_enrolled");
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(renewed.code(), "mfa_not_enrolled");
    assert_eq!(first_half(&harness, &json!({})).await.status, StatusCode::OK);
    let event = harness.events_of("mfa_factor_removed").await.pop().unwrap();
    assert_eq!(event["class"], "auth");
    assert_eq!(
        event["detail"]["before"],
        json!({"second_factor": true, "recovery_codes": 10})
    );
    assert_eq!(
        event["detail"]["after"],
        json!({"second_factor": false, "recovery_codes": 0})
    );
    for table in ["totp_factors", "recovery_codes", "totp_enrolments"] {
        let count = match table {
            "totp_factors" => harness.number("SELECT COUNT(*) FROM totp_factors").await,
            "recovery_codes" => harness.number("SELECT COUNT(*) FROM recovery_codes").await,
            _ => harness.number("SELECT COUNT(*) FROM totp_enrolments").await,
        };
        assert_eq!(count, 0, "{table}");
    }
}

async fn no_key_and_no_client_of_others_comes_near_a_factor(harness: Arc<Harness>) {
    let bearer = harness.set_up().await;
    let body = json!({"name": "Backup", "scopes": ["admin"], "expires_in_days": 30});
    let created = harness.post_as("/v1/api-keys", &bearer, &body).await;
    let key = TestClient {
        id: created.text_of("id"),
        secret: created.text_of("secret"),
    };
    let browser = Browser::new(&harness).await;
    let page = browser
        .sign_in(&authorize_path(FOREIGN, &[("scope", "admin")]), "root")
        .await;
    let code = answered(&browser.submit(&page, &[("decision", "allow")]).await, "code").unwrap();
    let foreign = redeem(&harness, FOREIGN, &code).await.text_of("access_token");
    let id = unverified_claims(&bearer)["sub"].as_str().unwrap().to_owned();
    let user = format!("/v1/admin/users/{id}");

    for bearer in [token_of(&harness, &key, &[]).await, foreign] {
        let seen = harness.get_as(&user, &bearer).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
        let mut refused = changes(&harness, &bearer).await;
        refused.push(confirm(&harness, &bearer, "123456").await);
        refused.push(harness.get_as("/v1/mfa/totp", &bearer).await);
        refused.push(harness.get_as("/v1/mfa/recovery-codes", &bearer).await);
        let reset = (Method::DELETE, &*format!("{user}/mfa"));
        refused.push(change(&harness, reset, &bearer, Some(seen.header("etag")), &json!({})).await);
        for answer in refused {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::FORBIDDEN, "sign_in_required"),
            );
        }
    }
}

async fn a_change_ends_every_other_session_and_leaves_the_own(harness: Arc<Harness>) {
    let own = harness.set_up().await;
    let other = harness.log_in("root").await;
    let browser = Browser::new(&harness).await;
    let page = browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    let unredeemed = answered(&page, "code").unwrap();
    assert!(browser.cookie("__Host-gatelog").is_some());

    enrol(&harness, &own).await;

    assert!(is_alive(&harness, &own).await);
    assert!(!is_alive(&harness, &other.text_of("access_token")).await);
    assert_eq!(
        harness.refresh(&other.text_of("refresh_token")).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        redeem(&harness, OWN, &unredeemed).await.status,
        StatusCode::BAD_REQUEST
    );
    let page = browser.get(&authorize_path(OWN, &[])).await;
    assert!(page.text.contains("current-password"));
    let sid = unverified_claims(&other.text_of("access_token"))["sid"].clone();
    let revoked = harness.events_of("authn_token_revoked").await.pop().unwrap();
    assert_eq!(
        (&revoked["reason"], &revoked["detail"]["sid"]),
        (&json!("factor_change"), &sid)
    );
    assert!(
        harness
            .enforcement_since(0)
            .await
            .to_string()
            .contains(sid.as_str().unwrap())
    );
}

/// As if a sign-in and an enrolment had crossed: what opens a session asks once more.
async fn a_browser_from_before_the_factor_gets_no_tokens_even_if_it_was_missed(harness: Arc<Harness>) {
    let own = harness.set_up().await;
    let browser = Browser::new(&harness).await;
    browser.sign_in(&authorize_path(OWN, &[]), "root").await;
    enrol(&harness, &own).await;
    harness.sql("UPDATE browser_sessions SET ended_at = NULL").await;
    let code = answered(&browser.get(&authorize_path(OWN, &[])).await, "code").unwrap();

    let refused = redeem(&harness, OWN, &code).await;

    assert_eq!(refused.text_of("error"), "invalid_grant");
    assert_eq!(harness.last_event().await["reason"], "session_ended");
}

async fn new_recovery_codes_void_the_former(harness: Arc<Harness>) {
    let factor = root_with_factor(&harness).await;
    let bearer = signed_in(&harness, &factor.app).await.text_of("access_token");
    sign_in(&harness, &factor.recovery_codes[0]).await;

    let renewed = harness
        .post_as("/v1/mfa/recovery-codes", &bearer, &json!({}))
        .await;

    assert_eq!(renewed.status, StatusCode::CREATED, "{}", renewed.text);
    let event = harness.last_event().await;
    assert_eq!(event["action"], "mfa_recovery_codes_created");
    assert_eq!(event["detail"]["before"]["recovery_codes"], 9);
    assert_eq!(event["detail"]["after"]["recovery_codes"], 10);
    assert_eq!(
        sign_in(&harness, &factor.recovery_codes[1]).await.code(),
        "mfa_code_refused"
    );
    let fresh = &texts(&renewed.json()["recovery_codes"])[0];
    assert_eq!(sign_in(&harness, fresh).await.status, StatusCode::OK);
}

async fn an_administrator_sees_and_resets_the_factor_of_a_user(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let user = format!("/v1/admin/users/{id}");
    let stale = harness.get_as(&user, &admin).await;
    assert_eq!(stale.json()["has_second_factor"], false);
    let alice = harness.log_in("alice").await.text_of("access_token");
    enrol(&harness, &alice).await;
    let seen = harness.get_as(&user, &admin).await;
    assert_eq!(seen.json()["has_second_factor"], true);
    let path = format!("{user}/mfa");
    let reset = async |bearer: &str, seen: Option<&str>| {
        change(&harness, (Method::DELETE, &path), bearer, seen, &json!({})).await
    };

    assert_eq!(reset(&admin, None).await.code(), "precondition_required");
    assert_eq!(
        reset(&admin, Some(stale.header("etag"))).await.code(),
        "precondition_failed"
    );
    assert_eq!(
        reset(&alice, Some(seen.header("etag"))).await.code(),
        "insufficient_scope"
    );
    let done = reset(&admin, Some(seen.header("etag"))).await;

    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text);
    let event = harness.events_of("mfa_factor_removed").await.pop().unwrap();
    assert_eq!(
        (&event["class"], &event["actor"]["username"]),
        (&json!("admin"), &json!("root"))
    );
    assert_eq!(event["detail"]["user_id"], id);
    assert_eq!(event["detail"]["before"]["second_factor"], true);
    assert!(!is_alive(&harness, &alice).await);
    assert_eq!(harness.log_in("alice").await.status, StatusCode::OK);
    let again = harness.get_as(&user, &admin).await;
    assert_eq!(again.json()["has_second_factor"], false);
    assert_eq!(
        reset(&admin, Some(again.header("etag"))).await.code(),
        "mfa_not_enrolled"
    );
    harness.wait(6 * MINUTE);
    assert_eq!(
        reset(&admin, Some(again.header("etag"))).await.code(),
        "reauthentication_required"
    );
}

async fn a_deleted_user_leaves_no_secret(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &[]).await;
    enrol(&harness, &harness.log_in("alice").await.text_of("access_token")).await;
    let user = format!("/v1/admin/users/{id}");
    let seen = harness.get_as(&user, &admin).await.header("etag").to_owned();

    let deleted = change(&harness, (Method::DELETE, &user), &admin, Some(&seen), &json!({})).await;

    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(harness.number("SELECT COUNT(*) FROM totp_factors").await, 0);
    assert_eq!(harness.number("SELECT COUNT(*) FROM recovery_codes").await, 0);
}

/// Every byte that is kept of factors and tickets, as hexadecimal digits.
async fn kept(harness: &Harness) -> String {
    const SQLITE: &str = "SELECT lower(hex(sealed_secret)) FROM totp_factors
        UNION ALL SELECT lower(hex(sealed_secret)) FROM totp_enrolments
        UNION ALL SELECT lower(hex(code_hash)) FROM recovery_codes
        UNION ALL SELECT lower(hex(ticket_hash)) FROM login_tickets";
    const POSTGRES: &str = "SELECT encode(sealed_secret, 'hex') FROM totp_factors
        UNION ALL SELECT encode(sealed_secret, 'hex') FROM totp_enrolments
        UNION ALL SELECT encode(code_hash, 'hex') FROM recovery_codes
        UNION ALL SELECT encode(ticket_hash, 'hex') FROM login_tickets";
    let texts = match harness.outside {
        Outside::Sqlite(_) => harness.texts(SQLITE).await,
        Outside::Postgres(_) => harness.texts(POSTGRES).await,
    };
    texts.join("\n")
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

async fn nothing_that_would_do_as_a_factor_is_kept_or_told(harness: Arc<Harness>) {
    let bearer = harness.set_up().await;
    let factor = enrol(&harness, &bearer).await;
    let ticket = ticket(&harness).await;
    let wrong = factor.app.wrong_code(&harness);
    let used = factor.app.code(&harness);
    sign_in(&harness, &wrong).await;
    sign_in(&harness, &used).await;
    sign_in(&harness, &factor.recovery_codes[0]).await;
    let totp = totp_rs::Totp::from_url(&factor.app.uri).unwrap();

    let kept = kept(&harness).await;
    let events = Value::from(harness.events().await).to_string();

    assert!(!kept.contains(&hex(totp.secret().as_bytes())));
    assert!(!events.contains(&totp.secret().to_base32()) && !events.contains("otpauth"));
    for secret in factor.recovery_codes.iter().chain([&ticket, &wrong, &used]) {
        for form in [secret.clone(), secret.replace('-', "")] {
            assert!(!kept.contains(&hex(form.as_bytes())), "{form}");
            assert!(!events.contains(&format!("\"{form}\"")), "{form}");
        }
    }
}

/// Whoever can write to the database cannot put one user's secret in the place of another's.
async fn a_secret_is_bound_to_its_user(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &[]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let mallory = enrol(&harness, &alice).await;
    enrol(&harness, &admin).await;
    harness
        .sql(
            "UPDATE totp_factors SET sealed_secret = (SELECT sealed_secret FROM totp_factors
                JOIN users ON users.id = totp_factors.user_id WHERE users.username = 'alice')
             WHERE user_id = (SELECT id FROM users WHERE username = 'root')",
        )
        .await;

    let answer = sign_in(&harness, &mallory.app.code(&harness)).await;

    assert_eq!(
        answer.status,
        StatusCode::INTERNAL_SERVER_ERROR,
        "{}",
        answer.text
    );
}

on_both_databases!(
    an_enrolment_is_no_factor_before_it_is_confirmed,
    an_enrolment_lasts_ten_minutes_and_a_new_one_voids_it,
    codes_of_an_enrolment_are_bounded_too,
    of_two_who_confirm_at_once_one_does,
    a_change_needs_a_sign_in_of_the_last_five_minutes,
    a_change_of_a_factor_needs_the_factor,
    no_key_and_no_client_of_others_comes_near_a_factor,
    a_change_ends_every_other_session_and_leaves_the_own,
    a_browser_from_before_the_factor_gets_no_tokens_even_if_it_was_missed,
    new_recovery_codes_void_the_former,
    an_administrator_sees_and_resets_the_factor_of_a_user,
    a_deleted_user_leaves_no_secret,
    nothing_that_would_do_as_a_factor_is_kept_or_told,
    a_secret_is_bound_to_its_user,
);
