//! Encrypted connections, and the certificate that changes while they are open.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use shared::http::serve::{RefusedCause, Serving, Tls, TlsError, TlsFiles};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, Server, assert_about, read_to_end};
use crate::support::within;

/// A certificate for `localhost` that is its own authority.
struct Identity {
    cert: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    fn fresh() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            cert: made.cert.der().clone(),
            key: made.signing_key.serialize_der(),
        }
    }

    fn write(&self, folder: &Path) -> TlsFiles {
        let files = files_in(folder);
        write_pem(&files.key, "PRIVATE KEY", &self.key);
        write_pem(&files.cert, "CERTIFICATE", &self.cert);
        files
    }
}

fn files_in(folder: &Path) -> TlsFiles {
    TlsFiles {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    }
}

fn write_pem(path: &Path, label: &str, der: &[u8]) {
    let text = STANDARD.encode(der);
    std::fs::write(
        path,
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"),
    )
    .unwrap();
}

async fn start(identity: &Identity) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::load(identity.write(folder.path())).unwrap();
    let serving = Serving {
        tls: Some(tls),
        ..Serving::default()
    };
    (Server::start_with(serving).await, folder)
}

/// Connects as a client that trusts `identity` alone and offers `protocols`.
async fn connect(
    server: &Server,
    identity: &Identity,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, server.connect().await)
        .await
}

const ONE_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let identity = Identity::fresh();
    let (server, _folder) = start(&identity).await;

    let stream = connect(&server, &identity, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "quick");

    let mut stream = connect(&server, &identity, &["http/1.1"]).await.unwrap();
    stream.write_all(ONE_REQUEST).await.unwrap();
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut said)
        .await
        .unwrap();
    assert!(said.ends_with("quick"), "{said}");
}

#[tokio::test]
async fn a_changed_certificate_is_shown_to_new_clients_and_disturbs_no_old_one() {
    let (first, second) = (Identity::fresh(), Identity::fresh());
    let (server, folder) = start(&first).await;
    let mut old = connect(&server, &first, &["http/1.1"]).await.unwrap();

    // For a moment the certificate and the key do not belong together, which must change nothing.
    write_pem(&files_in(folder.path()).cert, "CERTIFICATE", &second.cert);
    assert!(connect(&server, &first, &[]).await.is_ok());
    second.write(folder.path());
    within("the new certificate is shown", async {
        while connect(&server, &second, &[]).await.is_err() {}
    })
    .await;

    assert!(
        connect(&server, &first, &[]).await.is_err(),
        "the old one is shown no more"
    );
    old.write_all(ONE_REQUEST).await.unwrap();
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut old, &mut said)
        .await
        .unwrap();
    assert!(said.ends_with("quick"), "{said}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Identity::fresh(), Identity::fresh());
    assert!(matches!(
        Tls::load(files_in(folder.path())),
        Err(TlsError::Unreadable(..))
    ));

    let files = one.write(folder.path());
    write_pem(&files.key, "PRIVATE KEY", &other.key);
    assert!(matches!(Tls::load(files.clone()), Err(TlsError::Unusable(_))));

    std::fs::write(&files.key, "nonsense").unwrap();
    let error = Tls::load(files.clone()).unwrap_err();
    assert!(
        error.to_string().contains("key.pem holds no private key"),
        "{error}"
    );
    std::fs::write(&files.cert, "").unwrap();
    let error = Tls::load(files).unwrap_err();
    assert!(
        error.to_string().contains("cert.pem holds no certificate"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_the_handshake_is_cut_off() {
    let (server, _folder) = start(&Identity::fresh()).await;
    let mut stream = server.connect().await;
    let started = tokio::time::Instant::now();
    stream.write_all(&[0x16, 3, 1]).await.unwrap();

    assert_eq!(read_to_end(&mut stream).await, "");

    assert_about(started.elapsed(), PATIENCE);
    assert_eq!(server.refused(), [RefusedCause::Handshake]);
}

#[tokio::test]
async fn plain_http_is_not_answered_where_tls_is_spoken() {
    let (server, _folder) = start(&Identity::fresh()).await;
    let mut stream = server.connect().await;
    stream.write_all(ONE_REQUEST).await.unwrap();

    let mut said = Vec::new();
    drop(
        within(
            "the end",
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said),
        )
        .await,
    );

    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
}
