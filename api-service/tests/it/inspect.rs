//! `explain`, `diff` and `check` as an operator uses them.

use std::path::Path;
use std::process::Command;

use api_service::policy::{self, Surroundings};
use serde_json::Value;

use crate::harness::{Issuer, TestDoor};

const ROUTES: &str = "same_host = true\naudience = ['orders']\n[upstream.orders]\nservers = ['http://127.0.0.1:1']\n\
    [[route]]\nname='order-read'\nmatch='GET /orders/{id}'\nallow='scope:orders:read & (role:boss | age<15m)'\nto='orders'\n\
    [[route]]\nname='open'\nmatch='GET /open'\nallow='anyone'\nto='orders'\n";

struct Told {
    code: Option<i32>,
    text: String,
}

/// Runs the binary with the policy at `policy`, believing `issuer`.
async fn run(issuer: &Issuer, policy: &Path, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api-service"));
    command
        .args(arguments)
        .env_clear()
        .env(
            "GATELOG_API_BROKER_URL",
            "amqp://api-service:s3cret@127.0.0.1:1/%2f",
        )
        .env("GATELOG_API_SPOOL_DIR", "/nonexistent/spool")
        .env("GATELOG_API_SERVICE_TOKEN", "0123456789abcdef0123456789abcdef")
        .env("GATELOG_API_ISSUER", &issuer.url)
        .env("GATELOG_API_AUTH_URL", &issuer.url)
        .env("GATELOG_API_POLICY_FILE", policy);
    // The issuer answers on this thread meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    Told {
        code: output.status.code(),
        text: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
    }
}

/// A folder with the policy and a token.
fn folder(token: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.toml"), ROUTES).unwrap();
    std::fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
    folder
}

async fn explained(issuer: &Issuer, token: &str, request: [&str; 2]) -> String {
    let folder = folder(token);
    let file = format!("@{}", folder.path().join("token").display());
    let [method, path] = request;
    let arguments = ["explain", method, path, "--token", &file];
    let told = run(issuer, &folder.path().join("policy.toml"), &arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.text);
    assert!(!told.text.contains(token), "{}", told.text);
    told.text
}

#[tokio::test]
async fn a_request_is_explained_term_by_term_without_its_token() {
    let issuer = Issuer::start().await;

    let text = explained(&issuer, &issuer.token(), ["GET", "/orders/7"]).await;

    for part in [
        "decision: granted",
        "order-read  GET /orders/{id}",
        "lets in whoever has a valid token and has the scope `orders:read`",
        "scope:orders:read: true",
        "role:boss: false",
        "age<15m: true",
        "with the key k1 (EdDSA)",
        r#""sub":"usr_1""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_refusal_is_explained_with_the_answer_that_the_door_would_give() {
    let issuer = Issuer::start().await;
    let poor = issuer.mint(&issuer.claims().with("scope", "none"));
    let text = explained(&issuer, &poor, ["GET", "/orders/7"]).await;
    assert!(
        text.contains("decision: denied, 403 insufficient_scope"),
        "{text}"
    );
    assert!(text.contains("scope:orders:read: false"), "{text}");

    let old = issuer.mint(&issuer.claims().with("exp", 1));
    let text = explained(&issuer, &old, ["GET", "/orders/7"]).await;
    assert!(text.contains("decision: denied, 401 token_expired"), "{text}");
    assert!(text.contains("role:boss: not judged"), "{text}");

    let text = explained(&issuer, &old, ["GET", "/nowhere"]).await;
    assert!(text.contains("404 no_route"), "{text}");
    let text = explained(&issuer, &old, ["GET", "/open"]).await;
    assert!(text.contains("none is looked at"), "{text}");
}

/// The members of `told` that are there in `event` otherwise.
fn differences(told: &Value, event: &Value, place: &str, found: &mut Vec<String>) {
    match told {
        Value::Object(members) => {
            for (name, member) in members {
                differences(member, &event[name], &format!("{place}/{name}"), found);
            }
        }
        // A second may pass between the two.
        _ if place == "/token/age_s" || told == event => {}
        _ => found.push(format!("{place}: {told} and {event}")),
    }
}

#[tokio::test]
async fn what_is_said_to_be_recorded_is_what_the_door_records() {
    let routes = "[[route]]\nname='order-read'\nmatch='GET /status/{id}'\nallow='scope:orders:read'\nto='orders'\naudit='best-effort'\n";
    let door = TestDoor::start(routes).await;
    let (good, poor) = (
        door.issuer.token(),
        door.issuer.mint(&door.issuer.claims().with("scope", "none")),
    );
    let host = door.address.to_string();
    for (path, token) in [
        ("/status/200", &good),
        ("/status/200", &poor),
        ("/nowhere", &good),
    ] {
        let folder = folder(token);
        let file = folder.path().join("token").display().to_string();
        let arguments = ["explain", "GET", path, "--host", &host, "--token", &file];

        let told = run(&door.issuer, &door.policy_file(), &arguments).await;
        let answer = door.get(path, Some(token)).await;
        let event = door.event_of(&answer, "api_request").await.facts;

        let (_, recorded) = told.text.split_once("recorded: ").unwrap();
        let recorded: Value = serde_json::from_str(recorded.lines().next().unwrap()).unwrap();
        let mut found = Vec::new();
        differences(&recorded, &serde_json::to_value(&event).unwrap(), "", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{path}");
        assert!(
            path == "/nowhere" || told.text.contains("audit:    best-effort"),
            "{}",
            told.text
        );
    }
}

#[tokio::test]
async fn a_change_of_access_ends_with_1_and_none_with_0() {
    let issuer = Issuer::start().await;
    let folder = folder("x");
    let (old, new) = (folder.path().join("policy.toml"), folder.path().join("new.toml"));
    std::fs::write(&new, ROUTES.replace("role:boss", "role:chef")).unwrap();
    let paths = [old.display().to_string(), new.display().to_string()];

    let changed = run(&issuer, &old, &["diff", &paths[0], &paths[1]]).await;
    let same = run(&issuer, &old, &["diff", &paths[0], &paths[0]]).await;

    assert_eq!(changed.code, Some(1));
    assert!(
        changed.text.contains("+ GET /orders/{id}") && changed.text.contains("role:chef"),
        "{}",
        changed.text
    );
    assert_eq!(
        (same.code, same.text.as_str()),
        (Some(0), "nobody gains or loses access\n")
    );
}

#[tokio::test]
async fn a_check_names_what_is_public() {
    let issuer = Issuer::start().await;
    let folder = folder("x");

    let told = run(&issuer, &folder.path().join("policy.toml"), &["check"]).await;

    assert_eq!(told.code, Some(0), "{}", told.text);
    assert!(told.text.contains("public: open  GET /open"), "{}", told.text);
    assert!(!told.text.contains("public: order-read"), "{}", told.text);
}

#[test]
fn the_example_of_the_policy_s_page_passes_the_check() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md")).unwrap();
    let (_, example) = page.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let surroundings = Surroundings {
        issuer: "https://gate.example".into(),
        auth_url: "http://127.0.0.1:1".into(),
        collector_url: Some("http://127.0.0.1:1".into()),
    };

    // What is commented out is an example too, but for files that are not here.
    for text in [example.to_owned(), example.replace("# same_host", "same_host")] {
        std::fs::write(file.path(), text).unwrap();
        policy::load(Some(file.path()), &surroundings).unwrap();
    }
}
