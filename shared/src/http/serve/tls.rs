//! The certificate of the listener, read again when its files change.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at. Their content is compared, so that a copy and a swapped mount are both noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where a certificate and its key are, both in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and after it those between it and its authority.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. The texts name files, never what they hold.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file does not hold what it should.
    #[error("{0} holds no {1} in PEM")]
    NotPem(PathBuf, &'static str),
    /// They do not belong together, or no algorithm for them is known.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(#[source] rustls::Error),
}

/// What encrypts connections: TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    /// What the files held when they were last read, good or not, in brief: a key is not kept.
    seen: u64,
}

/// What the two files hold.
type Contents = (Vec<u8>, Vec<u8>);

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let contents = read(&files)?;
        let key = certified(&files, &contents, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(key)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            files,
            current,
            config: Arc::new(config),
            seen: brief(&contents),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Follows the files for ever. Connections that are open keep what they were opened with.
    pub(super) async fn follow(mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let files = self.files.clone();
            // A file is away for a moment while it is replaced.
            if let Ok(Ok(contents)) = tokio::task::spawn_blocking(move || read(&files)).await {
                self.take(&contents);
            }
        }
    }

    fn take(&mut self, contents: &Contents) {
        let seen = std::mem::replace(&mut self.seen, brief(contents));
        if seen == self.seen {
            return;
        }
        match certified(&self.files, contents, self.config.crypto_provider()) {
            Ok(key) => {
                self.current.0.store(Arc::new(key));
                tracing::info!("another certificate is in use");
            }
            Err(error) => {
                tracing::error!(%error, "the changed certificate was refused; the former stays in use");
            }
        }
    }
}

fn brief(contents: &Contents) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}

fn read(files: &TlsFiles) -> Result<Contents, TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| TlsError::Unreadable(path.to_path_buf(), error));
    Ok((read(&files.cert)?, read(&files.key)?))
}

fn certified(
    files: &TlsFiles,
    (cert, key): &Contents,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::NotPem(files.cert.clone(), "certificate"))?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NotPem(files.key.clone(), "private key"))?;
    // Refuses a key that is not the certificate's.
    CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Unusable)
}
