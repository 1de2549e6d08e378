//! The binary as it is started, asked and stopped.

use axum::body::Body;
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::http::client::{PooledClient, pooled_client};

use crate::harness::PASSWORD;
use crate::process::{command, free_port, lines, password_token, run, start};

pub(crate) async fn post(
    client: &PooledClient,
    uri: String,
    body: &Value,
    bearer: &str,
) -> (StatusCode, Value) {
    let request = Request::post(uri.parse::<Uri>().unwrap())
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {bearer}"))
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = client.request(request).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn post_form(client: &PooledClient, uri: String, form: String) -> StatusCode {
    let request = Request::post(uri.parse::<Uri>().unwrap())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    client.request(request).await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_needs_no_server_and_logs_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (started, base) = start(dir.path(), free_port()).await;
    let client = pooled_client().unwrap();

    let printed = run(command(dir.path(), &["setup-token"]));
    let token = String::from_utf8(printed.stdout).unwrap().trim().to_owned();
    let body = json!({"token": token, "username": "root", "password": PASSWORD});
    let (made, _) = post(&client, format!("{base}/v1/setup"), &body, "").await;
    let body = json!({"username": "root", "password": PASSWORD});
    let (_, tokens) = post(&client, format!("{base}/v1/login"), &body, "").await;
    let access = tokens["access_token"].as_str().unwrap();
    let wrong = json!({"username": "root", "password": "a wrong password"});
    post(&client, format!("{base}/v1/login"), &wrong, "").await;
    let (begun, factor) = post(&client, format!("{base}/v1/mfa/totp"), &json!({}), access).await;
    let (ended, _) = post(&client, format!("{base}/v1/logout"), &json!({}), access).await;
    let health = run(command(dir.path(), &["healthcheck", &base]));
    let again = run(command(dir.path(), &["setup-token"]));
    let output = started.stop();

    assert_eq!((made, ended), (StatusCode::CREATED, StatusCode::NO_CONTENT));
    assert_eq!(begun, StatusCode::CREATED);
    assert!(health.status.success());
    assert_eq!(again.status.code(), Some(1), "there is an administrator already");
    assert_eq!(output.status.code(), Some(0));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("run `auth-service setup-token`"), "{log}");
    assert!(log.contains("events wait in the outbox"), "{log}");
    let kept = |file: &str| {
        std::fs::read_to_string(dir.path().join(file))
            .unwrap()
            .trim()
            .to_owned()
    };
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let (master_key, service_token) = (kept("master-key"), kept("service-token"));
    for secret in [
        PASSWORD,
        "a wrong password",
        "broker-password",
        &token,
        access,
        refresh,
        factor["secret"].as_str().unwrap(),
        &master_key,
        &service_token,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn bad_settings_are_all_told_at_once_with_exit_code_78() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path(), &["check"]);
    command
        .env("GATELOG_AUTH_DATABASE_URL", "mysql://root:hunter2@127.0.0.1/x")
        .env("GATELOG_AUTH_BROKER_URL", "amqp://someone:hunter2@127.0.0.1/%2f")
        .env("GATELOG_AUTH_LISTNE", "x");

    let output = run(command);

    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "GATELOG_AUTH_DATABASE_URL",
        "must be named auth-service",
        "GATELOG_AUTH_LISTNE",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn good_settings_are_good() {
    let dir = tempfile::tempdir().unwrap();

    let output = run(command(dir.path(), &["check"]));

    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_port_in_use_and_a_folder_that_is_not_there_are_exit_code_78() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut in_use = command(dir.path(), &[]);
    in_use.env("GATELOG_AUTH_LISTEN", taken.local_addr().unwrap().to_string());
    let mut nowhere = command(dir.path(), &[]);
    nowhere
        .env("GATELOG_AUTH_LISTEN", "127.0.0.1:0")
        .env("GATELOG_AUTH_DATABASE_URL", "sqlite:/nonexistent/auth.db");

    for (command, part) in [(in_use, "cannot listen on"), (nowhere, "/nonexistent/auth.db")] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(78));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_database_that_refuses_us_is_exit_code_78() {
    let Some(admin_url) = crate::databases::server("GATELOG_TEST_POSTGRES_URL") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let secrets = run(command(dir.path(), &["check"]));
    assert!(secrets.status.success());
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let mut missing = command(dir.path(), &["setup-token"]);
    missing.env("GATELOG_AUTH_DATABASE_URL", format!("{server}/no_such_database"));

    let output = run(missing);

    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no_such_database"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_administers_beside_a_running_service() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (started, base) = start(dir, free_port()).await;
    let client = pooled_client().unwrap();
    let post = async |path: &str, body: &Value, bearer: &str| {
        post(&client, format!("{base}{path}"), body, bearer).await
    };

    lines(dir, &["role", "add", "billing", "bills:read"]);
    let [added] = lines(dir, &["user", "add", "alice", "--role", "billing"])
        .try_into()
        .unwrap();
    let body = json!({"token": password_token(&added), "password": PASSWORD});
    assert_eq!(post("/v1/password", &body, "").await.0, StatusCode::NO_CONTENT);
    let login = json!({"username": "alice", "password": PASSWORD});
    let (_, tokens) = post("/v1/login", &login, "").await;
    assert_eq!(tokens["scope"], "bills:read");

    let id = added["id"].as_str().unwrap();
    assert_eq!(
        lines(dir, &["session", "revoke", "--user", id, "--dry-run"]).len(),
        1
    );
    assert_eq!(lines(dir, &["session", "list", "--user", id]).len(), 1);
    assert_eq!(lines(dir, &["session", "revoke", "--user", id]).len(), 1);
    assert_eq!(lines(dir, &["session", "list", "--user", id]).len(), 0);
    let access = tokens["access_token"].as_str().unwrap();
    let (refused, problem) = post("/v1/logout", &json!({}), access).await;
    assert_eq!(
        (refused, &problem["code"]),
        (StatusCode::UNAUTHORIZED, &json!("token_revoked"))
    );

    let [granted] = lines(dir, &["user", "grant", "alice", "auditor"])
        .try_into()
        .unwrap();
    assert_eq!(granted["roles"], "auditor billing");
    let [disabled] = lines(dir, &["user", "disable", "alice"]).try_into().unwrap();
    assert_eq!(disabled["disabled"], "true");
    assert_eq!(post("/v1/login", &login, "").await.0, StatusCode::UNAUTHORIZED);
    let [listed] = lines(dir, &["user", "list", "--prefix", "al"])
        .try_into()
        .unwrap();
    assert_eq!(listed["id"], id);

    started.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_can_always_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [added] = lines(dir, &["user", "add", "alice"]).try_into().unwrap();
    lines(dir, &["user", "disable", "alice"]);

    let [recovered] = lines(dir, &["recover-admin", "alice"]).try_into().unwrap();

    assert_eq!(recovered["id"], added["id"]);
    assert_ne!(password_token(&recovered), password_token(&added));
    let [shown] = lines(dir, &["user", "show", "alice"]).try_into().unwrap();
    assert_eq!(
        (&shown["roles"], &shown["disabled"]),
        (&json!("admin"), &json!("false"))
    );
    lines(dir, &["recover-admin", "new"]);
    assert_eq!(lines(dir, &["user", "list", "--role", "admin"]).len(), 2);
    let unknown = run(command(dir, &["user", "show", "nobody"]));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        String::from_utf8(unknown.stderr)
            .unwrap()
            .contains("there is no such user")
    );
}

/// The code of now, by a clock that nobody moves: so near to the end of its step that it is over when it arrives, it is still taken.
fn code_of(uri: &str) -> String {
    let totp = totp_rs::Totp::from_url(uri).unwrap();
    let now = SystemClock.now().as_seconds();
    totp.generate(u64::try_from(now).unwrap()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_command_line_gets_past_a_lost_factor() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (started, base) = start(dir, free_port()).await;
    let client = pooled_client().unwrap();
    let post = async |path: &str, body: &Value, bearer: &str| {
        post(&client, format!("{base}{path}"), body, bearer).await
    };
    let login = json!({"username": "alice", "password": PASSWORD});
    let set_password = async |row: &Value| {
        let body = json!({"token": password_token(row), "password": PASSWORD});
        assert_eq!(post("/v1/password", &body, "").await.0, StatusCode::NO_CONTENT);
    };
    let enrol = async || {
        let (_, tokens) = post("/v1/login", &login, "").await;
        let bearer = tokens["access_token"].as_str().unwrap();
        let (_, begun) = post("/v1/mfa/totp", &json!({}), bearer).await;
        let code = code_of(begun["otpauth_uri"].as_str().unwrap());
        let (confirmed, _) = post("/v1/mfa/totp/confirm", &json!({"code": code}), bearer).await;
        assert_eq!(confirmed, StatusCode::OK);
        assert_eq!(post("/v1/login", &login, "").await.1["code"], "mfa_required");
    };
    let [added] = lines(dir, &["user", "add", "alice"]).try_into().unwrap();
    set_password(&added).await;

    enrol().await;
    let [shown] = lines(dir, &["user", "show", "alice"]).try_into().unwrap();
    assert_eq!(shown["mfa"], "true");
    lines(dir, &["user", "reset-mfa", "alice"]);
    assert_eq!(post("/v1/login", &login, "").await.0, StatusCode::OK);
    let none_left = run(command(dir, &["user", "reset-mfa", "alice"]));
    assert_eq!(none_left.status.code(), Some(1));

    enrol().await;
    let [recovered] = lines(dir, &["recover-admin", "alice"]).try_into().unwrap();
    set_password(&recovered).await;
    assert_eq!(post("/v1/login", &login, "").await.0, StatusCode::OK);
    started.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_are_listed_rotated_and_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let states = || -> Vec<String> {
        let keys = lines(dir, &["key", "list"]);
        keys.iter()
            .map(|key| key["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(), ["active", "pre_published"]);

    let [planned] = lines(dir, &["key", "rotate", "--dry-run"]).try_into().unwrap();
    let [rotated] = lines(dir, &["key", "rotate"]).try_into().unwrap();
    assert_eq!(planned, rotated);
    let active = lines(dir, &["key", "list"])[0]["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    lines(dir, &["key", "revoke", &active]);

    assert_eq!(states(), ["revoked", "active", "pre_published"]);
    assert_eq!(lines(dir, &["key", "list"])[1]["kid"], rotated["kid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_registers_clients_and_keys_beside_a_running_service() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (started, base) = start(dir, free_port()).await;
    let client = pooled_client().unwrap();
    let ask = async |id: &Value, secret: &Value| {
        let pairs = [("client_id", id), ("client_secret", secret)].map(|(name, value)| {
            let value = value.as_str().unwrap();
            format!("{name}={value}")
        });
        let form = format!("grant_type=client_credentials&{}", pairs.join("&"));
        post_form(&client, format!("{base}/oauth/token"), form).await
    };

    let [added] = lines(dir, &["client", "add", "Report", "--scope", "audit:read"])
        .try_into()
        .unwrap();
    let id = added["id"].as_str().unwrap();
    let [secret] = lines(dir, &["client", "secret-add", id, "--days", "7"])
        .try_into()
        .unwrap();
    assert_eq!(ask(&added["id"], &secret["secret"]).await, StatusCode::OK);
    let shown = lines(dir, &["client", "show", id]);
    assert_eq!(lines(dir, &["client", "list"]), shown);
    let secret_id = secret["id"].as_str().unwrap();
    assert_eq!(lines(dir, &["client", "secrets", id])[0]["id"], secret_id);
    assert_eq!(lines(dir, &["client", "disable", id])[0]["disabled"], "true");
    assert_eq!(
        ask(&added["id"], &secret["secret"]).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(lines(dir, &["client", "enable", id])[0]["disabled"], "false");
    assert_eq!(ask(&added["id"], &secret["secret"]).await, StatusCode::OK);
    lines(dir, &["client", "secret-revoke", id, secret_id]);
    assert_eq!(
        ask(&added["id"], &secret["secret"]).await,
        StatusCode::UNAUTHORIZED
    );
    lines(dir, &["client", "delete", id]);
    assert_eq!(lines(dir, &["client", "list"]).len(), 0);

    let [user] = lines(dir, &["user", "add", "alice", "--role", "auditor"])
        .try_into()
        .unwrap();
    let user = user["id"].as_str().unwrap();
    let add = [
        "api-key",
        "add",
        "--user",
        user,
        "backup",
        "--scope",
        "audit:read",
    ];
    let [key] = lines(dir, &add).try_into().unwrap();
    assert_eq!(ask(&key["id"], &key["secret"]).await, StatusCode::OK);
    assert_eq!(
        lines(dir, &["api-key", "list", "--user", user])[0]["id"],
        key["id"]
    );
    lines(dir, &["api-key", "revoke", key["id"].as_str().unwrap()]);
    assert_eq!(ask(&key["id"], &key["secret"]).await, StatusCode::UNAUTHORIZED);
    started.stop();
}

#[test]
fn the_command_line_changes_of_a_client_what_is_given_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [added] = lines(dir, &["client", "add", "Report", "--scope", "audit:read"])
        .try_into()
        .unwrap();
    let id = added["id"].as_str().unwrap();

    let scopes = ["--scope", "audit:read", "--scope", "introspect"];
    let update = [&["client", "update", id, "--name", "Reports"], &scopes[..]].concat();
    let [changed] = lines(dir, &update).try_into().unwrap();

    assert_eq!(changed["name"], "Reports");
    assert_eq!(changed["scopes"], "audit:read introspect");
    for same in ["audiences", "grants", "kind", "disabled"] {
        assert_eq!(changed[same], added[same], "{same}");
    }
    assert_eq!(lines(dir, &["client", "show", id]), [changed]);
    let nothing = run(command(dir, &["client", "update", id]));
    assert_eq!(nothing.status.code(), Some(2), "nothing to change is a mistake");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_broker_is_listed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (started, base) = start(dir.path(), free_port()).await;
    let client = pooled_client().unwrap();
    let hostile = json!({"username": "nobody\u{9b}31m", "password": "a wrong password"});
    post(&client, format!("{base}/v1/login"), &hostile, "").await;
    started.stop();

    let listed = run(command(dir.path(), &["outbox", "list", "--json"]));
    let shown = run(command(dir.path(), &["outbox", "show"]));

    assert_eq!(
        (listed.status.code(), shown.status.code()),
        (Some(0), Some(0)),
        "{listed:?} {shown:?}"
    );
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let count = |name: &str| listed[name].as_str().unwrap().parse::<usize>().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(count("numbered") + count("not_numbered"), shown.lines().count());
    assert!(shown.contains("authn_login_fail"), "{shown}");
    assert!(!shown.contains('\u{9b}'));
    for line in shown.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}
