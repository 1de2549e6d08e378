//! An issuer over real HTTP that answers for its keys as it is told to: with keys, with something else, or not at all.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How an issuer answers.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    /// With these keys.
    Keys(Vec<Value>),
    /// With these bytes, which may be no HTTP.
    Raw(Vec<u8>),
    /// Never; the connection stays open.
    Hang,
    /// With bytes without an end.
    Endless,
}

pub(super) struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    /// The request line of each question.
    asked: Vec<String>,
}

impl Issuer {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            manner,
            asked: Vec::new(),
        }));
        let answering = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answering)));
            }
        });
        Self { address, state }
    }

    /// The same issuer.
    pub(super) fn of(other: &Self) -> Self {
        Self {
            address: other.address,
            state: Arc::clone(&other.state),
        }
    }

    pub(super) fn jwks(&self) -> http::Uri {
        format!("http://{}/jwks", self.address).parse().unwrap()
    }

    pub(super) fn answers(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// The request lines so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

/// One question a connection, which is enough to be misunderstood in every way.
async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap().to_owned();
    let manner = {
        let mut state = state.lock().unwrap();
        state.asked.push(line);
        state.manner.clone()
    };
    let bytes = match manner {
        Manner::Keys(keys) => ok(json!({ "keys": keys }).to_string().as_bytes()),
        Manner::Raw(bytes) => bytes,
        Manner::Hang => return std::future::pending().await,
        Manner::Endless => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut sent = stream.write_all(head).await;
            while sent.is_ok() {
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                sent = stream.write_all(chunk.as_bytes()).await;
            }
            return;
        }
    };
    // Whoever has seen enough may have left.
    stream.write_all(&bytes).await.unwrap_or_default();
}

/// An answer with that body.
pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
