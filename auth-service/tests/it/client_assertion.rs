//! `private_key_jwt` (RFC 7523): a client signs who it is, for this service, once.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use crate::client_harness::{machine, register, send_form};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness};

pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NOW: i64 = 1_800_000_000;

/// A client that has a key, and its key.
pub(crate) struct Signer {
    id: String,
    key: Ed25519KeyPair,
}

impl Signer {
    pub(crate) async fn register(harness: &Harness, admin: &str) -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1"}]});
        let body = machine(&json!({ "jwks": jwks, "scopes": ["introspect"] }));
        let id = register(harness, admin, &body).await;
        Self { id, key }
    }

    fn claims(&self) -> Value {
        json!({"iss": self.id, "sub": self.id, "aud": "https://gate.example", "exp": NOW + 300, "jti": "j1"})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    pub(crate) fn assertion(&self, changes: &Value) -> String {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&header(), &claims)
    }
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"})
}

async fn present(harness: &Harness, assertion: &str) -> Answer {
    let parameters = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    send_form(harness, "/oauth/token", "", &parameters).await
}

async fn an_assertion_is_good_once(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let signer = Signer::register(&harness, &admin).await;
    let assertion = signer.assertion(&json!({}));

    let first = present(&harness, &assertion).await;
    let again = present(&harness, &assertion).await;

    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let event = harness.last_event().await;
    assert_eq!(event["reason"], "client_assertion_refused");
    assert_eq!(event["detail"]["method"], "private_key_jwt");
    for (number, aud) in [
        json!("https://gate.example/oauth/token"),
        json!(["https://gate.example"]),
    ]
    .into_iter()
    .enumerate()
    {
        let other = signer.assertion(&json!({"aud": aud, "jti": format!("aud{number}")}));
        assert_eq!(present(&harness, &other).await.status, StatusCode::OK, "{aud}");
    }
}

async fn what_is_not_signed_by_the_client_for_this_service_proves_nothing(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let signer = Signer::register(&harness, &admin).await;
    let stranger = Signer {
        id: signer.id.clone(),
        key: Ed25519KeyPair::generate().unwrap(),
    };
    let mut wrong = vec![stranger.assertion(&json!({}))];
    for changes in [
        json!({"aud": "https://other.example"}),
        json!({"aud": ["https://gate.example", "https://other.example"]}),
        json!({"aud": []}),
        json!({"iss": "cli_other"}),
        json!({"exp": NOW - 5}),
        json!({"exp": NOW + 3606}),
        json!({"exp": null}),
        json!({"iat": NOW + 6}),
        json!({"nbf": NOW + 6}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": "j".repeat(257)}),
    ] {
        wrong.push(signer.assertion(&changes));
    }
    for changes in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES256"}),
        json!({"kid": "other"}),
        json!({"typ": "at+jwt"}),
        json!({"crit": ["x"]}),
    ] {
        let mut header = header();
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        wrong.push(signer.sign(&header, &signer.claims()));
    }
    let good = signer.assertion(&json!({}));
    wrong.push(good.replace('.', ""));
    wrong.push(format!("{}.AAAA", good.rsplit_once('.').unwrap().0));
    for assertion in &wrong {
        let refused = present(&harness, assertion).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{assertion}");
    }
    assert_eq!(present(&harness, &good).await.status, StatusCode::OK);
}

async fn used_assertions_are_forgotten_when_they_are_too_old_to_matter(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let signer = Signer::register(&harness, &admin).await;
    let assertion = signer.assertion(&json!({}));
    present(&harness, &assertion).await;
    let count = "SELECT COUNT(*) FROM client_assertions";

    harness.wait(Duration::from_secs(304));
    harness.service.upkeep().await;
    assert_eq!(harness.number(count).await, 1);
    assert_eq!(
        present(&harness, &assertion).await.status,
        StatusCode::UNAUTHORIZED
    );
    harness.wait(Duration::from_secs(1));
    harness.service.upkeep().await;
    assert_eq!(harness.number(count).await, 0);
    assert_eq!(
        present(&harness, &assertion).await.status,
        StatusCode::UNAUTHORIZED
    );
}

on_both_databases!(
    an_assertion_is_good_once,
    what_is_not_signed_by_the_client_for_this_service_proves_nothing,
    used_assertions_are_forgotten_when_they_are_too_old_to_matter,
);
