//! A TCP proxy that misbehaves on order: one per connection that a service has to the broker or the database.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Outcome;

/// What is read at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// How large the parts are that a throttled link carries.
const THROTTLED_BYTES: usize = 512;

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Open,
    /// Connections are reset, and new ones refused.
    Cut,
    /// What comes next passes in part, then its connection is reset.
    Truncating,
    /// Each part passes after this time.
    Delaying(Duration),
    /// What is sent vanishes. A connection that lost something stays silent for ever, since no stream goes on after a gap.
    BlackHole,
    /// So many bytes a second pass.
    Throttled(u32),
}

/// A proxy in front of a server, or of several of which the first that can be reached is taken, as a load balancer does.
#[derive(Debug)]
pub struct Link {
    /// Who connects to what.
    pub name: String,
    /// Where it listens, on loopback.
    pub port: u16,
    mode: watch::Sender<Mode>,
    _accepting: JoinSet<()>,
}

impl Link {
    /// Opens a link to the first of `targets` that can be reached.
    pub async fn open(name: &str, targets: Vec<u16>) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::shell::free_port()?)).await?;
        let port = listener.local_addr()?.port();
        let (mode, modes) = watch::channel(Mode::Open);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, targets, modes));
        Ok(Self {
            name: name.to_owned(),
            port,
            mode,
            _accepting: accepting,
        })
    }

    /// Whether it is this service's.
    pub fn is_of(&self, service: &str) -> bool {
        self.name.split(' ').next() == Some(service)
    }

    /// Changes how it behaves, for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn accept(listener: TcpListener, targets: Vec<u16>, modes: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let mode = *modes.borrow();
                if mode == Mode::Cut {
                    drop(client.set_zero_linger());
                } else {
                    connections.spawn(connect(client, targets.clone(), modes.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, targets: Vec<u16>, modes: watch::Receiver<Mode>) {
    for target in targets {
        if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await {
            // A connection that breaks tells its ends by being dropped.
            drop(carry(client, server, &modes).await);
            return;
        }
    }
    drop(client.set_zero_linger());
}

/// Carries both directions until both have ended, or one is broken off: then both ends are reset.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    modes: &watch::Receiver<Mode>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let lost = AtomicBool::new(false);
    let carried = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::try_join!(
            pump(from_client, to_server, modes.clone(), &lost),
            pump(from_server, to_client, modes.clone(), &lost)
        )
    };
    if let Err(broken) = carried {
        client.set_zero_linger()?;
        server.set_zero_linger()?;
        return Err(broken);
    }
    Ok(())
}

/// Carries one direction. An error is an order to break the connection off. `lost` is whether the connection has lost
/// something, in either direction: what loses the one loses the acknowledgements of the other.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut modes: watch::Receiver<Mode>,
    lost: &AtomicBool,
) -> io::Result<()> {
    let broken_off = || io::Error::from(io::ErrorKind::ConnectionReset);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read?,
            cut = modes.wait_for(|mode| *mode == Mode::Cut) => {
                drop(cut);
                return Err(broken_off());
            }
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        let mode = *modes.borrow();
        if lost.load(Ordering::Relaxed) || mode == Mode::BlackHole {
            lost.store(true, Ordering::Relaxed);
            return swallow(from).await;
        }
        match mode {
            Mode::Open | Mode::BlackHole => to.write_all(bytes).await?,
            Mode::Cut => return Err(broken_off()),
            Mode::Truncating => {
                let (part, _) = bytes.split_at(bytes.len() / 2);
                to.write_all(part).await?;
                return Err(broken_off());
            }
            Mode::Delaying(delay) => {
                tokio::time::sleep(delay).await;
                to.write_all(bytes).await?;
            }
            Mode::Throttled(bytes_per_second) => {
                for part in bytes.chunks(THROTTLED_BYTES) {
                    to.write_all(part).await?;
                    let seconds = f64::from(u32::try_from(part.len()).unwrap_or(u32::MAX))
                        / f64::from(bytes_per_second);
                    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                    // What is left of the chunk must not be late for ever.
                    if *modes.borrow() == Mode::Cut {
                        return Err(broken_off());
                    }
                }
            }
        }
    }
}

/// Reads until the sender gives up, and passes nothing on; then the other end is reset at last.
async fn swallow(mut from: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    while from.read(&mut chunk).await? > 0 {}
    Err(io::ErrorKind::ConnectionReset.into())
}
