//! What passwords may be, and how they are kept.

use std::io::Write as _;
use std::sync::Arc;

use auth_service::Service;
use auth_service::settings::{PasswordSettings, Settings};
use http::StatusCode;
use serde_json::json;
use tower::ServiceExt as _;

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD, json_request};

async fn set_up_with(harness: &Harness, password: &str) -> Answer {
    let body = json!({"token": harness.setup_token().await, "username": "root", "password": password});
    harness.post("/v1/setup", &body).await
}

/// Another replica on the same database.
async fn replica(harness: &Harness, passwords: PasswordSettings) -> Service {
    let settings = Settings {
        passwords,
        ..harness.settings.clone()
    };
    Service::open(&settings).await.unwrap()
}

async fn status_of_sign_in(service: &Service, password: &str) -> StatusCode {
    let request = json_request("/v1/login", &json!({"username": "root", "password": password}));
    service.router().oneshot(request).await.unwrap().status()
}

const STORED: &str = "SELECT password_hash FROM users WHERE username = 'root'";

async fn a_hash_of_another_cost_is_renewed_by_a_sign_in_and_sessions_go_on(harness: Arc<Harness>) {
    harness.set_up().await;
    let session = harness.log_in("root").await.text_of("refresh_token");
    let former = harness.texts(STORED).await;
    assert!(
        former[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{former:?}"
    );
    let other = replica(
        &harness,
        PasswordSettings {
            cost: "m=7168,t=5,p=1".parse().unwrap(),
            ..PasswordSettings::default()
        },
    )
    .await;

    let wrong = status_of_sign_in(&other, "not the password of root").await;
    assert_eq!(wrong, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.texts(STORED).await, former);
    assert_eq!(status_of_sign_in(&other, PASSWORD).await, StatusCode::OK);

    let renewed = harness.texts(STORED).await;
    assert!(
        renewed[0].starts_with("$argon2id$v=19$m=7168,t=5,p=1$"),
        "{renewed:?}"
    );
    assert_eq!(status_of_sign_in(&other, PASSWORD).await, StatusCode::OK);
    assert_eq!(harness.texts(STORED).await, renewed);
    assert_eq!(harness.refresh(&session).await.status, StatusCode::OK);
}

async fn a_password_may_be_typed_composed_or_decomposed(harness: Arc<Harness>) {
    let composed = "d\u{e9}j\u{e0} vu, \u{d55c}\u{ad6d}\u{c5b4}, d\u{e9}j\u{e0} bu";
    let decomposed = "de\u{301}ja\u{300} vu, \u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}\u{110b}\u{1165}, \
        de\u{301}ja\u{300} bu";
    assert_eq!(set_up_with(&harness, composed).await.status, StatusCode::CREATED);

    for (password, status) in [
        (composed, StatusCode::OK),
        (decomposed, StatusCode::OK),
        (
            "deja vu, \u{d55c}\u{ad6d}\u{c5b4}, deja bu",
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let body = json!({"username": "root", "password": password});
        assert_eq!(
            harness.post("/v1/login", &body).await.status,
            status,
            "{password}"
        );
    }
}

async fn a_weak_password_is_refused_with_the_reason_and_never_shown(harness: Arc<Harness>) {
    for (password, reason) in [
        ("too short", "fewer than 15"),
        ("at gate.example I sign in", "this service"),
        ("I am root, the first", "user name"),
        ("trapeze trapeze trapeze", "repeats"),
        ("passwordstandard", "most common"),
    ] {
        let refused = set_up_with(&harness, password).await;
        assert_eq!(refused.code(), "password_refused", "{password}");
        assert!(refused.text.contains(reason), "{}", refused.text);
        assert!(!refused.text.contains(password), "{}", refused.text);
    }
}

async fn a_password_known_from_a_breach_is_refused(harness: Arc<Harness>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // The SHA-1 of `PASSWORD`, as Have I Been Pwned writes it.
    writeln!(file, "0000000000000000000000000000000000000000:3\r").unwrap();
    writeln!(file, "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42:7\r").unwrap();
    writeln!(file, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:1\r").unwrap();
    let with_file = PasswordSettings {
        breached_file: Some(file.path().to_owned()),
        ..PasswordSettings::default()
    };
    let service = replica(&harness, with_file).await;
    let set_up = async |password: &str| {
        let body = json!({"token": harness.setup_token().await, "username": "root", "password": password});
        let request = json_request("/v1/setup", &body);
        service.router().oneshot(request).await.unwrap().status()
    };

    assert_eq!(set_up(PASSWORD).await, StatusCode::BAD_REQUEST);
    assert_eq!(set_up("no breach has seen this").await, StatusCode::CREATED);
}

async fn without_the_file_of_breached_passwords_the_service_does_not_start(harness: Arc<Harness>) {
    let passwords = PasswordSettings {
        breached_file: Some("/nowhere/at/all".into()),
        ..PasswordSettings::default()
    };
    let settings = Settings {
        passwords,
        ..harness.settings.clone()
    };

    let error = Service::open(&settings).await.unwrap_err().to_string();

    assert!(error.contains("breached passwords"), "{error}");
}

on_both_databases!(
    a_hash_of_another_cost_is_renewed_by_a_sign_in_and_sessions_go_on,
    a_password_may_be_typed_composed_or_decomposed,
    a_weak_password_is_refused_with_the_reason_and_never_shown,
    a_password_known_from_a_breach_is_refused,
    without_the_file_of_breached_passwords_the_service_does_not_start,
);
