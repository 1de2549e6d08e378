//! A stock OAuth client library, Python's Authlib, against a running service.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use shared::http::client::pooled_client;

use crate::binary::post;
use crate::databases::server;
use crate::harness::PASSWORD;
use crate::process::{free_port, lines, lines_with, password_token, start_with};

/// Runs the client and returns what it saw.
fn run_client(python: &str, asked: &Value) -> Value {
    let mut child = Command::new(python)
        .args(["-c", include_str!("authlib_client.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(asked.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Registers a client and returns its id and a secret.
fn register(dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Value {
    let add: Vec<_> = ["client", "add"].iter().chain(arguments).copied().collect();
    let [client] = lines_with(dir, settings, &add).try_into().unwrap();
    let id = client["id"].as_str().unwrap();
    let [secret] = lines(dir, &["client", "secret-add", id]).try_into().unwrap();
    json!({"id": id, "secret": secret["secret"]})
}

/// The whole flow with tokens signed by `alg`, as Authlib saw it.
async fn flow(alg: &str) -> Option<(String, Value)> {
    let python = server("GATELOG_TEST_PYTHON")?;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let port = free_port();
    let issuer = format!("http://127.0.0.1:{port}");
    let settings = [
        ("GATELOG_AUTH_ISSUER", issuer.as_str()),
        ("GATELOG_AUTH_AUDIENCES", "orders"),
        ("GATELOG_AUTH_SIGNING_ALGORITHM", alg),
    ];
    let (started, _) = start_with(dir, port, &settings).await;
    let [user] = lines(dir, &["user", "add", "alice"]).try_into().unwrap();
    let body = json!({"token": password_token(&user), "password": PASSWORD});
    post(
        &pooled_client().unwrap(),
        format!("{issuer}/v1/password"),
        &body,
        "",
    )
    .await;
    let client = register(
        dir,
        &settings,
        &[
            "Ledger",
            "--grant",
            "authorization_code",
            "--grant",
            "refresh_token",
            "--redirect-uri",
            "https://app.example/cb",
            "--audience",
            "orders",
        ],
    );
    let api = register(
        dir,
        &settings,
        &["Orders", "--scope", "introspect", "--audience", "orders"],
    );

    let seen = run_client(
        &python,
        &json!({
            "issuer": issuer, "alg": alg, "client": client, "api": api,
            "username": "alice", "password": PASSWORD,
        }),
    );

    started.stop();
    let user_id = user["id"].as_str().unwrap().to_owned();
    assert_eq!(seen["claims"]["iss"], issuer);
    assert_eq!(seen["claims"]["aud"], client["id"]);
    Some((user_id, seen))
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_completes_the_code_flow_and_sees_revocation_and_reuse_refused() {
    let Some((user_id, seen)) = flow("EdDSA").await else {
        return;
    };

    assert_eq!(seen["alg"], "EdDSA");
    assert_eq!(seen["pages"], json!(["/oauth/sign-in", "/oauth/consent"]));
    assert_eq!(
        seen["pages_again"],
        json!([]),
        "the user is signed in and has consented"
    );
    assert_eq!(seen["state_refused"], "mismatching_state");
    assert_eq!(seen["scope"], "openid profile offline_access");
    assert_eq!(
        seen["user"],
        json!({"sub": user_id, "preferred_username": "alice"})
    );
    assert_eq!(seen["claims"]["sub"], user_id.as_str());
    assert_eq!(seen["is_rotated"], true);
    assert_eq!(seen["active"], json!([true, true, true]));
    assert_eq!(seen["revoked"], 200);
    assert_eq!(seen["after"], json!([false, false, false]));
    assert_eq!(seen["refresh_after"], "invalid_grant");
    assert_eq!(seen["code_reused"], "invalid_grant");
    assert_eq!(seen["userinfo"], json!([200, 401]));
}

/// OpenID Connect Discovery requires RS256 of every provider, and Authlib checks it.
#[tokio::test(flavor = "multi_thread")]
async fn authlib_finds_a_provider_that_signs_with_rs256_to_conform() {
    let Some((user_id, seen)) = flow("RS256").await else {
        return;
    };

    assert_eq!(seen["alg"], "RS256");
    assert!(seen["claims"]["at_hash"].is_string());
    assert_eq!(seen["claims"]["sub"], user_id.as_str());
    assert_eq!(seen["userinfo"], json!([200, 401]));
}
