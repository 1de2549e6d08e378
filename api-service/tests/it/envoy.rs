//! A real Envoy with the file of `deploy/envoy` before a real upstream.

use std::net::SocketAddr;
use std::path::Path;

use shared::enforcement::Target;
use shared::event::{Door, Outcome, action};

use crate::forward_auth::{DISGUISED, FORGED, asked_door, refusals_are_passed_on};
use crate::harness::{RawAnswer, TestDoor, WebServer, deployed, eventually, named_by, upstream};

/// `None` where nobody has said where an Envoy is: Debian has no package of it.
async fn site() -> Option<(TestDoor, WebServer)> {
    let program = named_by("GATELOG_TEST_ENVOY")?;
    let (door, api) = (asked_door().await, upstream::start().await);
    let gatelog = door.address;
    let arguments = |file: &Path| {
        // Envoy reads YAML from files that are called so.
        let named = file.with_extension("yaml");
        std::fs::copy(file, &named).unwrap();
        let quiet = [
            "--log-level",
            "error",
            "--disable-hot-restart",
            "--concurrency",
            "1",
        ];
        let config = ["--config-path", named.to_str().unwrap()];
        config.into_iter().chain(quiet).map(str::to_owned).collect()
    };
    let envoy = WebServer::start(&program, arguments, |listen, _| config(listen, gatelog, api)).await;
    Some((door, envoy))
}

/// The file as it is shipped, with the addresses of here.
fn config(listen: SocketAddr, gatelog: SocketAddr, api: SocketAddr) -> String {
    let mut file = std::fs::read_to_string(deployed("envoy/envoy.yaml")).unwrap();
    for (shipped, here) in [
        ("address: 0.0.0.0, port_value: 10000", listen),
        ("address: 10.0.0.9, port_value: 8080", gatelog),
        ("address: 10.0.0.7, port_value: 9000", api),
    ] {
        assert_eq!(file.matches(shipped).count(), 1, "{shipped}");
        let here = format!("address: {}, port_value: {}", here.ip(), here.port());
        file = file.replace(shipped, &here);
    }
    file
}

/// What a client at 127.0.0.2 is answered: Envoy tells its own address as that of a client at 127.0.0.1.
async fn get(envoy: &WebServer, target: &str, headers: &str) -> RawAnswer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: api.example\r\n{headers}Connection: close\r\n\r\n");
    envoy.answer(2, &request).await
}

#[tokio::test]
async fn envoy_lets_in_what_the_door_lets_in() {
    let Some((door, envoy)) = site().await else { return };
    let bearer = format!("Authorization: Bearer {}\r\n", door.issuer.token());

    let granted = get(&envoy, "/orders/7?page=2", &bearer).await;

    assert_eq!(granted.status, "200", "{granted:?}");
    let sent = granted.json();
    assert_eq!(sent["uri"], "/orders/7?page=2");
    assert_eq!(sent["headers"]["x-user"], "usr_1");
    assert_eq!(sent["headers"]["x-roles"], "staff");
    assert_eq!(sent["headers"]["authorization"], serde_json::Value::Null);
    let request_id = sent["headers"]["x-request-id"].as_str().unwrap();
    let facts = door.collector.one(request_id, action::API_REQUEST).await.facts;
    assert_eq!(facts.outcome, Outcome::Granted);
    assert_eq!(facts.policy.unwrap().door, Door::Decide);
    assert_eq!(facts.client.unwrap().ip.as_deref(), Some("127.0.0.2"));

    refusals_are_passed_on(&door, async |path, headers| get(&envoy, path, headers).await).await;
}

#[tokio::test]
async fn nothing_that_a_client_sends_through_envoy_changes_what_is_decided_or_who_it_is() {
    let Some((door, envoy)) = site().await else { return };
    let bearer = format!("Authorization: Bearer {}\r\n", door.issuer.token());
    let forged = format!("{FORGED}X-Envoy-Original-Path: /public/x\r\n");

    let refused = get(&envoy, "/admin/x", &format!("{forged}{bearer}")).await;
    assert_eq!(refused.status, "403", "{refused:?}");
    let passed = get(&envoy, "/public/x", &forged).await;

    assert_eq!(passed.status, "200", "{passed:?}");
    let headers = &passed.json()["headers"];
    for name in ["x-user", "x-username", "x-client", "x-roles", "x-scopes"] {
        let value = headers[name].as_str().unwrap_or_default();
        assert_eq!(value, "", "{name} in {headers}");
    }
    for alias in ["X_User: evil\r\n", "X.User: evil\r\n"] {
        let answer = get(&envoy, "/public/x", alias).await;
        assert_eq!(answer.status, "400", "{alias}: {answer:?}");
    }
    for path in DISGUISED {
        let answer = get(&envoy, path, "").await;
        assert_ne!(answer.status, "200", "{path}: {answer:?}");
    }
    // Envoy makes another path of this one, asks about that and sends that.
    let answer = get(&envoy, "/public/;/../x", "").await.json();
    assert_eq!(answer["uri"], "/public/x");
    let request_id = answer["headers"]["x-request-id"].as_str().unwrap();
    let facts = door.collector.one(request_id, action::API_REQUEST).await.facts;
    assert_eq!(facts.http.unwrap().path, "/public/x");
}

#[tokio::test]
async fn a_client_that_is_blocked_is_kept_out_behind_envoy_too() {
    let Some((door, envoy)) = site().await else { return };
    door.issuer
        .revoke(Target::Address("127.0.0.9/32".parse().unwrap()));
    let request = "GET /public/x HTTP/1.1\r\nHost: api.example\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n";

    eventually("the block is in force", async || {
        envoy.answer(9, request).await.status == "403"
    })
    .await;

    assert_eq!(envoy.answer(2, request).await.status, "200");
}

#[tokio::test]
async fn without_its_door_envoy_lets_nobody_in() {
    let Some((door, envoy)) = site().await else { return };
    assert_eq!(get(&envoy, "/public/x", "").await.status, "200");

    drop(door);

    eventually("nobody is let in", async || {
        get(&envoy, "/public/x", "").await.status == "503"
    })
    .await;
}
