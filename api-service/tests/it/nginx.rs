//! A real nginx with the files of `deploy/nginx` before a real upstream: the door decides, nginx forwards.

use std::net::SocketAddr;
use std::path::Path;

use shared::enforcement::Target;
use shared::event::{Door, Event, Outcome, action};

use crate::forward_auth::asked_door;
use crate::harness::{RawAnswer, TestDoor, WebServer, deployed, eventually, installed, upstream};

struct Site {
    door: TestDoor,
    nginx: WebServer,
}

impl Site {
    /// `None` where there is no nginx.
    async fn start() -> Option<Self> {
        let program = installed("nginx")?;
        let (door, api) = (asked_door().await, upstream::start().await);
        let gatelog = door.address;
        let nginx = WebServer::start(
            &program,
            |file| vec!["-c".into(), file.to_str().unwrap().into()],
            |listen, folder| config(listen, folder, gatelog, api),
        )
        .await;
        Some(Self { door, nginx })
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.door.issuer.token())
    }

    /// The event of an answer, of which there must be exactly one.
    async fn event(&self, answer: &RawAnswer) -> Event {
        let request_id = answer.header("x-request-id").expect("a request id");
        self.door.collector.one(request_id, action::API_REQUEST).await
    }

    /// That the client got this refusal with its code, and that it was recorded.
    async fn refused(&self, answer: &RawAnswer, status: &str, code: &str) {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["code"], code);
        assert_eq!(answer.json()["status"].to_string(), status);
        let facts = self.event(answer).await.facts;
        assert_eq!(
            (facts.outcome, facts.reason.as_deref()),
            (Outcome::Denied, Some(code))
        );
        assert_eq!(facts.policy.unwrap().door, Door::Decide);
    }
}

/// One process, so that killing it leaves nothing.
fn config(listen: SocketAddr, folder: &Path, gatelog: SocketAddr, api: SocketAddr) -> String {
    let folder = folder.display();
    let (server, location) = (
        deployed("nginx/gatelog-server.conf"),
        deployed("nginx/gatelog-location.conf"),
    );
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
         events {{}}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
         uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         upstream gatelog {{ server {gatelog}; keepalive 4; }}\n\
         server {{\n\
         listen {listen}; server_name api.example;\n\
         include {server};\n\
         location / {{ include {location}; add_header X-Request-Id $gatelog_request_id; proxy_pass http://{api}; }}\n\
         }}\n\
         }}\n"
    )
}

#[tokio::test]
async fn a_request_that_may_pass_reaches_the_upstream_with_who_calls() {
    let Some(site) = Site::start().await else { return };

    let answer = site.nginx.get("/orders/7?page=2", &site.bearer()).await;

    assert_eq!(answer.status, "200", "{answer:?}");
    let sent = answer.json();
    assert_eq!(sent["uri"], "/orders/7?page=2");
    assert_eq!(sent["headers"]["x-user"], "usr_1");
    assert_eq!(sent["headers"]["x-roles"], "staff");
    assert_eq!(sent["headers"]["authorization"], serde_json::Value::Null);
    let facts = site.event(&answer).await.facts;
    assert_eq!(facts.outcome, Outcome::Granted);
    let (http, client) = (facts.http.unwrap(), facts.client.unwrap());
    assert_eq!(
        (http.method.as_str(), http.path.as_str(), http.host.as_deref()),
        ("GET", "/orders/7", Some("api.example"))
    );
    assert_eq!(client.ip.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn every_refusal_reaches_the_client_as_the_door_meant_it() {
    let Some(site) = Site::start().await else { return };

    let missing = site.nginx.get("/orders/7", "").await;
    assert_eq!(
        missing.header("www-authenticate"),
        Some(r#"bearer realm="gatelog""#)
    );
    site.refused(&missing, "401", "token_missing").await;
    let forbidden = site.nginx.get("/admin/x", &site.bearer()).await;
    assert!(
        forbidden
            .header("www-authenticate")
            .unwrap()
            .contains("insufficient_scope")
    );
    site.refused(&forbidden, "403", "insufficient_scope").await;
    let unknown = site.nginx.get("/nowhere", &site.bearer()).await;
    site.refused(&unknown, "404", "no_route").await;
    let post =
        "POST /orders/7 HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    site.refused(&site.nginx.answer(1, post).await, "404", "no_route")
        .await;
}

#[tokio::test]
async fn paths_that_nginx_and_the_upstream_read_differently_pass_nobody() {
    let Some(site) = Site::start().await else { return };

    for path in [
        "/public/../admin/x",
        "/public/%2e%2e/admin/x",
        "/public%2f..%2fadmin%2fx",
        "/public/..%2fadmin/x",
        "//admin/x",
        "/public//../admin/x",
        "/public/;/../admin/x",
        "/public/%5c..%5cadmin",
    ] {
        let answer = site.nginx.get(path, &site.bearer()).await;
        site.refused(&answer, "400", "path_refused").await;
    }
    // An absolute target with another host than the header's: nginx and the door take the first.
    let absolute =
        "GET http://other.example/public/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    site.refused(&site.nginx.answer(1, absolute).await, "404", "no_route")
        .await;
}

#[tokio::test]
async fn nothing_that_a_client_sends_changes_what_is_decided_or_who_it_is() {
    let Some(site) = Site::start().await else { return };
    let forged = "X-Original-URI: /public/x\r\nX-Original-Method: GET\r\nX-Forwarded-Uri: /public/x\r\n\
        X-Forwarded-Method: GET\r\nX-Forwarded-Host: other.example\r\nX-Forwarded-For: 10.1.2.3\r\n\
        x_original_uri: /public/x\r\nX.Forwarded.Uri: /public/x\r\nX-Rewrite-URL: /public/x\r\n";

    let refused = site
        .nginx
        .get("/admin/x", &format!("{forged}{}", site.bearer()))
        .await;

    site.refused(&refused, "403", "insufficient_scope").await;
    let facts = site.event(&refused).await.facts;
    assert_eq!(facts.client.unwrap().ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(facts.http.unwrap().path, "/admin/x");

    let identity = "X-User: evil\r\nX_User: evil\r\nX.User: evil\r\nX-Roles: boss\r\nx-scopes: all\r\n";
    for (path, token) in [("/public/x", ""), ("/orders/7", site.bearer().as_str())] {
        let passed = site.nginx.get(path, &format!("{forged}{identity}{token}")).await;
        assert_eq!(passed.status, "200", "{passed:?}");
        for forged in ["evil", "boss", "\"all\"", "10.1.2.3", "other.example"] {
            assert!(!passed.body.contains(forged), "{forged} in {}", passed.body);
        }
    }
}

#[tokio::test]
async fn a_client_that_is_blocked_is_kept_out_behind_nginx_too() {
    let Some(site) = Site::start().await else { return };
    site.door
        .issuer
        .revoke(Target::Address("127.0.0.9/32".parse().unwrap()));
    let request = "GET /public/x HTTP/1.1\r\nHost: api.example\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n";

    eventually("the block is in force", async || {
        site.nginx.answer(9, request).await.status == "403"
    })
    .await;

    site.refused(&site.nginx.answer(9, request).await, "403", "address_blocked")
        .await;
    assert_eq!(site.nginx.answer(1, request).await.status, "200");
}

#[tokio::test]
async fn an_upstream_s_own_errors_stay_its_own() {
    let Some(site) = Site::start().await else { return };

    for status in ["403", "500", "404"] {
        let answer = site.nginx.get(&format!("/status/{status}"), "").await;
        assert_eq!((answer.status.as_str(), answer.body.as_str()), (status, "done"));
    }
    // The end point itself is not for clients.
    let asked = site.nginx.get("/-/decide", "X-Original-URI: /public/x\r\n").await;
    assert_eq!(asked.status, "404");
}

#[tokio::test]
async fn a_door_that_is_away_is_no_way_in() {
    let Some(site) = Site::start().await else { return };
    let Site { door, nginx } = site;
    door.close().await;

    let answer = nginx.get("/public/x", "").await;

    assert_eq!(answer.status, "503", "{answer:?}");
    assert_eq!(answer.json()["status"], 503);
}
