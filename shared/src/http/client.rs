//! The client for calls between services: bounded in time and size.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio::net::TcpStream;
use tower::util::MapResponse;

use super::reading_on::ReadingOn;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a whole call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept: shorter than the five seconds of Node and uvicorn, so that we seldom race a close.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Idle connections that are kept for one server.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// How often a server that speaks HTTP/2 is asked whether it is still there.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(15);

/// The largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Connects by TCP.
type Connector = MapResponse<HttpConnector, fn(Plain) -> ReadingOn<Plain>>;

/// What a connection is before TLS.
type Plain = TokioIo<TcpStream>;

/// A pooling client for HTTP/1.1 and TLS by the platform's trust store. An answer that comes before its request was sent to its end
/// is one, also if its server closes then.
pub type PooledClient = Client<HttpsConnector<Connector>, Body>;

/// Why a call failed. The texts name no secret.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address or the secret cannot be put into a request.
    #[error("the request cannot be built")]
    Unbuildable,
    /// No connection, or it broke.
    #[error("the service cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("the service did not answer in time")]
    TimedOut,
    /// It answered with another status than 200.
    #[error("the service answered {0}")]
    Status(StatusCode),
    /// Its answer was too large or broke off.
    #[error("the service's answer could not be read")]
    Unreadable,
}

/// How a client reaches servers.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions<'o> {
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// PEM of the authorities that certificates are trusted by; those of the machine if not given.
    pub authorities: Option<&'o [u8]>,
    /// Whether HTTP/2 alone is spoken, without asking.
    pub http2: bool,
}

/// A pooling client. Where the machine has no certificates to trust, it reaches plain HTTP only and says so.
pub fn pooled_client() -> Result<PooledClient, rustls::Error> {
    client_with(&ClientOptions {
        connect_timeout: CONNECT_TIMEOUT,
        authorities: None,
        http2: false,
    })
}

/// The same, as `options` say.
pub fn client_with(options: &ClientOptions<'_>) -> Result<PooledClient, rustls::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(options.connect_timeout));
    let http: Connector = MapResponse::new(http, ReadingOn::new);
    let config = match options.authorities {
        None => tls_config()?,
        Some(pem) => provider()?
            .with_root_certificates(roots(pem))
            .with_no_client_auth(),
    };
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http();
    let connector = if options.http2 {
        connector.enable_http2().wrap_connector(http)
    } else {
        connector.enable_http1().wrap_connector(http)
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_timer(TokioTimer::new())
        .http2_only(options.http2)
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(options.http2.then_some(HTTP2_PING_EVERY))
        .build(connector))
}

/// Whether `pem` holds at least one certificate, and nothing else that claims to be one.
pub fn is_authorities(pem: &[u8]) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.is_ok_and(|certificates| {
        let (good, bad) = RootCertStore::empty().add_parsable_certificates(certificates);
        good > 0 && bad == 0
    })
}

fn roots(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
    roots
}

fn provider() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions()
}

/// TLS by the trust store of the platform. Where the machine has no certificates to trust, it trusts none and says so.
pub fn tls_config() -> Result<ClientConfig, rustls::Error> {
    match provider()?.try_with_platform_verifier() {
        Ok(trusting) => Ok(trusting.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no certificate authorities are known here, so that https cannot be spoken");
            Ok(provider()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth())
        }
    }
}

/// `GET`s `uri` and returns the body of a 200 answer. Redirects are not followed.
pub async fn get(client: &PooledClient, uri: &Uri, bearer: Option<&str>) -> Result<Bytes, CallError> {
    let (_, body) = get_with_head(client, uri, bearer, ANSWER_BYTES_MAX).await?;
    Ok(body)
}

/// As [`get`], with the answer's headers, and of `bytes_max` bytes at most.
pub async fn get_with_head(
    client: &PooledClient,
    uri: &Uri,
    bearer: Option<&str>,
    bytes_max: usize,
) -> Result<(HeaderMap, Bytes), CallError> {
    let mut request = Request::get(uri.clone())
        .body(Body::empty())
        .map_err(|_| CallError::Unbuildable)?;
    if let Some(token) = bearer {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| CallError::Unbuildable)?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let call = async {
        let answer = client.request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(CallError::Status(answer.status()));
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|_| CallError::Unreadable)?;
        Ok((head.headers, body.to_bytes()))
    };
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .map_err(|_| CallError::TimedOut)?
}

/// Asks `/readyz` at `base`; for the `healthcheck` command of containers that have no curl.
pub async fn is_ready(base: &str) -> Result<(), CallError> {
    let uri: Uri = format!("{}/readyz", base.trim_end_matches('/'))
        .parse()
        .map_err(|_| CallError::Unbuildable)?;
    let client = pooled_client().map_err(|_| CallError::Unbuildable)?;
    get(&client, &uri, None).await.map(drop)
}
