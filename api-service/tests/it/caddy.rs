//! A real Caddy with the snippet of `deploy/caddy` before a real upstream.

use std::net::SocketAddr;

use shared::event::{Door, Outcome, action};

use crate::forward_auth::{DISGUISED, FORGED, asked_door, refusals_are_passed_on};
use crate::harness::{TestDoor, WebServer, deployed, installed, upstream};

/// `None` where there is no Caddy.
async fn site() -> Option<(TestDoor, WebServer)> {
    let program = installed("caddy")?;
    let (door, api) = (asked_door().await, upstream::start().await);
    let gatelog = door.address;
    let arguments = |file: &std::path::Path| {
        [
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            file.to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let caddy = WebServer::start(&program, arguments, |listen, _| config(listen, gatelog, api)).await;
    Some((door, caddy))
}

fn config(listen: SocketAddr, gatelog: SocketAddr, api: SocketAddr) -> String {
    let snippet = deployed("caddy/gatelog.caddy");
    let port = listen.port();
    format!(
        "{{\n\tadmin off\n\tauto_https off\n\tlog {{\n\t\tlevel ERROR\n\t}}\n}}\n\
         import {snippet}\n\
         http://api.example:{port} {{\n\tbind 127.0.0.1\n\timport gatelog {gatelog}\n\treverse_proxy {api}\n}}\n"
    )
}

#[tokio::test]
async fn caddy_lets_in_what_the_door_lets_in() {
    let Some((door, caddy)) = site().await else { return };
    let bearer = format!("Authorization: Bearer {}\r\n", door.issuer.token());

    let granted = caddy.get("/orders/7?page=2", &bearer).await;

    assert_eq!(granted.status, "200", "{granted:?}");
    let sent = granted.json();
    assert_eq!(sent["uri"], "/orders/7?page=2");
    assert_eq!(sent["headers"]["x-user"], "usr_1");
    assert_eq!(sent["headers"]["authorization"], serde_json::Value::Null);
    let request_id = sent["headers"]["x-request-id"].as_str().unwrap();
    let facts = door.collector.one(request_id, action::API_REQUEST).await.facts;
    assert_eq!(facts.outcome, Outcome::Granted);
    assert_eq!(facts.policy.unwrap().door, Door::Decide);
    assert_eq!(facts.client.unwrap().ip.as_deref(), Some("127.0.0.1"));

    refusals_are_passed_on(&door, async |path, headers| caddy.get(path, headers).await).await;
}

#[tokio::test]
async fn nothing_that_a_client_sends_through_caddy_changes_what_is_decided_or_who_it_is() {
    let Some((door, caddy)) = site().await else { return };
    let bearer = format!("Authorization: Bearer {}\r\n", door.issuer.token());
    let refused = caddy.get("/admin/x", &format!("{FORGED}{bearer}")).await;
    assert_eq!(refused.status, "403", "{refused:?}");
    let passed = caddy.get("/public/x", FORGED).await;

    assert_eq!(passed.status, "200", "{passed:?}");
    for forged in ["evil", "boss", "10.1.2.3"] {
        assert!(!passed.body.contains(forged), "{forged} in {}", passed.body);
    }
    // Caddy passes these on beside its own, so that the door must refuse them.
    for alias in ["X_User: evil\r\n", "X_Forwarded_Uri: /public/x\r\n"] {
        let answer = caddy.get("/public/x", alias).await;
        assert_eq!(answer.status, "400", "{alias}: {answer:?}");
    }
    for path in DISGUISED {
        let answer = caddy.get(path, "").await;
        assert_ne!(answer.status, "200", "{path}: {answer:?}");
    }
}
