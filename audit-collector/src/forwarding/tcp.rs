//! A connection to a receiver of syslog.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::SyslogTarget;

/// How long connecting may take, the handshake of TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a receiver may take to make room for what is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the connection is watched after a write. Syslog acknowledges nothing: that the receiver has not closed or reset it by then is
/// all that can be known.
const WATCH: Duration = Duration::from_millis(250);

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Connection(Box<dyn Stream>);

impl Connection {
    /// Connects to a receiver.
    pub(super) async fn open(target: &SyslogTarget, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        let connecting = async {
            let tcp = TcpStream::connect((target.host.as_str(), target.port)).await?;
            tcp.set_nodelay(true)?;
            if !target.tls {
                return Ok(Self(Box::new(tcp)));
            }
            let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?;
            Ok(Self(Box::new(stream)))
        };
        timeout(CONNECT_TIMEOUT, connecting).await?
    }

    /// Writes frames, and returns once they seem to have been taken.
    pub(super) async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        let writing = async {
            self.0.write_all(frames).await?;
            self.0.flush().await
        };
        timeout(WRITE_TIMEOUT, writing).await??;
        // A receiver says nothing, so that reading ends only if it goes away.
        let mut said = [0; 64];
        match timeout(WATCH, self.0.read(&mut said)).await {
            Ok(Ok(0)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}
