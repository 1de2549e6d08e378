//! Clients in tests: registering them, and requests in their name.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

/// A client with its secret.
#[derive(Clone, Debug)]
pub(crate) struct TestClient {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl TestClient {
    /// The value of `Authorization`. An id and a secret need no encoding.
    pub(crate) fn basic(&self) -> String {
        basic(&format!("{}:{}", self.id, self.secret))
    }
}

pub(crate) fn basic(joined: &str) -> String {
    format!("Basic {}", STANDARD.encode(joined))
}

/// What is registered for a machine, with other members over it.
pub(crate) fn machine(other: &Value) -> Value {
    let mut body = json!({
        "name": "Nightly report",
        "kind": "confidential",
        "grant_types": ["client_credentials"],
        "scopes": ["audit:read", "orders:read"],
        "audiences": ["gatelog", "orders"],
    });
    for (name, value) in other.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Registers a client and returns its id.
pub(crate) async fn register(harness: &Harness, admin: &str, body: &Value) -> String {
    let created = harness.post_as("/v1/admin/clients", admin, body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    created.text_of("id")
}

pub(crate) async fn add_secret(harness: &Harness, admin: &str, id: &str) -> Answer {
    let path = format!("/v1/admin/clients/{id}/secrets");
    harness.post_as(&path, admin, &json!({"name": "test"})).await
}

/// A machine with its secret.
pub(crate) async fn add_machine(harness: &Harness, admin: &str, other: &Value) -> TestClient {
    let id = register(harness, admin, &machine(other)).await;
    let secret = add_secret(harness, admin, &id).await.text_of("secret");
    TestClient { id, secret }
}

fn form(parameters: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    form.finish()
}

/// A form, sent with that `Authorization` if it is not empty.
pub(crate) async fn send_form(
    harness: &Harness,
    path: &str,
    authorization: &str,
    parameters: &[(&str, &str)],
) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    harness
        .send(request.body(Body::from(form(parameters))).unwrap())
        .await
}

/// Asks for a token in the client's own name.
pub(crate) async fn ask(harness: &Harness, client: &TestClient, more: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("grant_type", "client_credentials")];
    parameters.extend_from_slice(more);
    send_form(harness, "/oauth/token", &client.basic(), &parameters).await
}

pub(crate) async fn token_of(harness: &Harness, client: &TestClient, more: &[(&str, &str)]) -> String {
    let answer = ask(harness, client, more).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.text_of("access_token")
}
