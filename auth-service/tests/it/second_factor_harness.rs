//! Second factors in tests: an authenticator app, and the two halves of a sign-in.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use std::time::Duration;

use crate::harness::{Answer, Harness, PASSWORD};

/// An app that was shown a secret.
#[derive(Debug)]
pub(crate) struct Authenticator {
    totp: totp_rs::Totp,
    pub(crate) uri: String,
}

impl Authenticator {
    pub(crate) fn of(uri: &str) -> Self {
        Self {
            totp: totp_rs::Totp::from_url(uri).unwrap(),
            uri: uri.to_owned(),
        }
    }

    /// The code at this moment.
    pub(crate) fn code(&self, harness: &Harness) -> String {
        self.code_after(harness, 0)
    }

    /// The code of so many seconds later.
    pub(crate) fn code_after(&self, harness: &Harness, seconds: i64) -> String {
        let at = harness.clock.now().as_seconds() + seconds;
        self.totp.generate(u64::try_from(at).unwrap()).to_string()
    }

    /// Six digits that are the code of no step around this moment.
    pub(crate) fn wrong_code(&self, harness: &Harness) -> String {
        let near: Vec<String> = (-3..=3).map(|step| self.code_after(harness, step * 30)).collect();
        (0..10)
            .map(|number| format!("{number:06}"))
            .find(|code| !near.contains(code))
            .unwrap()
    }
}

/// A user's factor: its app, and its recovery codes.
#[derive(Debug)]
pub(crate) struct Factor {
    pub(crate) app: Authenticator,
    pub(crate) recovery_codes: Vec<String>,
}

pub(crate) async fn begin(harness: &Harness, bearer: &str) -> Answer {
    harness.post_as("/v1/mfa/totp", bearer, &json!({})).await
}

pub(crate) async fn confirm(harness: &Harness, bearer: &str, code: &str) -> Answer {
    harness
        .post_as("/v1/mfa/totp/confirm", bearer, &json!({"code": code}))
        .await
}

pub(crate) fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Gives the bearer's user a factor, and waits until its app shows another code.
pub(crate) async fn enrol(harness: &Harness, bearer: &str) -> Factor {
    let begun = begin(harness, bearer).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    let app = Authenticator::of(&begun.text_of("otpauth_uri"));
    let confirmed = confirm(harness, bearer, &app.code(harness)).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    harness.wait(Duration::from_secs(30));
    Factor {
        app,
        recovery_codes: texts(&confirmed.json()["recovery_codes"]),
    }
}

/// The user `root`, with a factor.
pub(crate) async fn root_with_factor(harness: &Harness) -> Factor {
    let bearer = harness.set_up().await;
    enrol(harness, &bearer).await
}

/// The first half of a sign-in.
pub(crate) async fn first_half(harness: &Harness, more: &Value) -> Answer {
    let mut body = json!({"username": "root", "password": PASSWORD});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    harness.post("/v1/login", &body).await
}

pub(crate) async fn ticket(harness: &Harness) -> String {
    let answer = first_half(harness, &json!({})).await;
    assert_eq!(answer.code(), "mfa_required", "{}", answer.text);
    answer.text_of("ticket")
}

/// The second half.
pub(crate) async fn second_half(harness: &Harness, ticket: &str, code: &str) -> Answer {
    harness
        .post("/v1/login/mfa", &json!({"ticket": ticket, "code": code}))
        .await
}

/// Both halves.
pub(crate) async fn sign_in(harness: &Harness, code: &str) -> Answer {
    second_half(harness, &ticket(harness).await, code).await
}

/// Both halves, with success.
pub(crate) async fn signed_in(harness: &Harness, app: &Authenticator) -> Answer {
    let answer = sign_in(harness, &app.code(harness)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    harness.wait(Duration::from_secs(30));
    answer
}

pub(crate) async fn delete_as(harness: &Harness, path: &str, bearer: &str) -> Answer {
    let request = Request::delete(path).header("authorization", format!("Bearer {bearer}"));
    harness.send(request.body(Body::empty()).unwrap()).await
}
