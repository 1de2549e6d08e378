//! Who is told of alerts by mail, in real conversations with a server of mail.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_collector::notification::Receiver;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::mail::{LOGIN, MailServer, Privacy};
use crate::notifications::{Sender, attacked, receivers_in, until_shown};

on_both_databases!(
    a_mail_arrives_after_starttls_with_a_password,
    a_server_that_cannot_now_is_tried_again_and_one_that_will_not_is_not,
);

/// What speaks TLS as `localhost`; whom to trust is written into the folder.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(certified.cert.der())
    );
    std::fs::write(folder.join("authority.pem"), pem).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(server))
}

/// The receiver `desk` by that server; `more` are further lines of its table.
fn desk(folder: &Path, port: u16, more: &str) -> Vec<Receiver> {
    std::fs::write(folder.join("password"), LOGIN.1).unwrap();
    let text = format!(
        "[mail.desk]\nhost = 'localhost'\nport = {port}\nfrom = 'Gatelog <gatelog@example.test>'\n\
         to = ['soc@example.test', 'Desk <desk@example.test>']\n{more}"
    );
    receivers_in(folder, "", &text)
}

fn with_login(user: &str) -> String {
    format!("authorities_file = 'DIR/authority.pem'\nusername = '{user}'\npassword_file = 'DIR/password'\n")
}

async fn a_mail_arrives_after_starttls_with_a_password(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let privacy = Privacy::StartTls(acceptor(folder.path()));
    let (server, port) = MailServer::start(privacy, &[]).await;
    let told = || desk(folder.path(), port, &with_login(LOGIN.0));
    let collector = attacked(database, told()).await;
    let sender = Sender::start(database, told()).await;
    let api = TestApi::on(collector.log.clone());

    let shown = until_shown(&api, "?state=delivered", |shown| shown[0].is_object()).await;

    assert_eq!(shown[0]["status"], 250);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let id = shown[0]["id"].as_str().unwrap();
    assert!(
        mails[0].contains(&format!("Message-ID: <{id}@example.test>\n")),
        "{}",
        mails[0]
    );
    assert!(mails[0].contains("Subject: [Gatelog] [MEDIUM] "), "{}", mails[0]);
    assert!(mails[0].contains("actor.username: alice\n"), "{}", mails[0]);
    assert!(
        mails[0].contains("http://gatelog.test/console/#/alerts/"),
        "{}",
        mails[0]
    );
    let expected = ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA"];
    assert_eq!(server.commands()[..8], expected);
    sender.end().await;
    collector.stop().await;
}

async fn a_server_that_cannot_now_is_tried_again_and_one_that_will_not_is_not(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let (server, port) = MailServer::start(Privacy::None, &["451 4.3.0 busy", "550 5.1.1 nobody here"]).await;
    let told = || desk(folder.path(), port, "security = 'none'\n");
    let collector = attacked(database, told()).await;
    let sender = Sender::start(database, told()).await;
    let api = TestApi::on(collector.log.clone());

    let busy = until_shown(&api, "", |shown| shown[0]["attempts"] == 1).await;
    assert_eq!(
        (&busy[0]["state"], &busy[0]["status"]),
        (&json!("pending"), &json!(451))
    );
    sender.clock.advance(Duration::from_secs(20));
    let refused = until_shown(&api, "?state=failed", |shown| shown[0].is_object()).await;

    assert_eq!(refused[0]["status"], 550);
    assert!(
        refused[0]["problem"].as_str().unwrap().contains("nobody here"),
        "{refused}"
    );
    assert!(server.mails().is_empty());
    sender.end().await;
    collector.stop().await;
}

/// What a test message comes to, without a collector.
async fn tested(receivers: Vec<Receiver>) -> Value {
    let database = TestDatabase::sqlite();
    let api = TestApi::with_receivers(database.log().await, receivers);
    let body = json!({"receiver": "desk"});
    let answer = api
        .act(("POST", "/v1/notifications/test"), "audit:respond", None, &body)
        .await;
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_over_tls_from_the_first_byte() {
    let folder = TempDir::new().unwrap();
    let (server, port) = MailServer::start(Privacy::Tls(acceptor(folder.path())), &[]).await;

    let more = format!("security = 'tls'\n{}", with_login(LOGIN.0));
    let said = tested(desk(folder.path(), port, &more)).await;

    assert_eq!(said, json!({"delivered": true, "status": 250, "problem": null}));
    assert!(server.mails()[0].contains("Subject: [Gatelog] Test: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_starttls_nothing_is_sent() {
    let folder = TempDir::new().unwrap();
    acceptor(folder.path());
    let (server, port) = MailServer::start(Privacy::None, &[]).await;

    let said = tested(desk(folder.path(), port, &with_login(LOGIN.0))).await;

    assert_eq!(said["delivered"], false, "{said}");
    let commands = server.commands();
    assert!(
        !commands.contains(&"AUTH".to_owned()) && !commands.contains(&"MAIL".to_owned()),
        "{commands:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_no_password() {
    let folder = TempDir::new().unwrap();
    let privacy = Privacy::StartTls(acceptor(folder.path()));
    let (server, port) = MailServer::start(privacy, &[]).await;
    // Another authority than the server's.
    acceptor(folder.path());

    let said = tested(desk(folder.path(), port, &with_login(LOGIN.0))).await;

    assert_eq!(said["delivered"], false, "{said}");
    assert!(!server.commands().contains(&"AUTH".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_ends_it_and_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let privacy = Privacy::StartTls(acceptor(folder.path()));
    let (_server, port) = MailServer::start(privacy, &[]).await;

    let said = tested(desk(folder.path(), port, &with_login("mallory"))).await;

    assert_eq!(
        (&said["delivered"], &said["status"]),
        (&json!(false), &json!(535))
    );
    assert!(!said.to_string().contains(LOGIN.1), "{said}");
}
