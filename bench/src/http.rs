//! The cheapest client that there is: one kept connection, one request at a time, so that the machine is the server's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The text of a member of a JSON body.
    pub fn text(&self, member: &str) -> Outcome<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body)?;
        let text = body.get(member).and_then(serde_json::Value::as_str);
        Ok(text
            .ok_or_else(|| format!("no {member} in {} {body}", self.status))?
            .to_owned())
    }
}

/// A kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a port of this machine.
    pub async fn open(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8 * 1024),
        })
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            self.read().await?;
        };
        let head = String::from_utf8_lossy(self.buffer.get(..head_end).unwrap_or_default()).to_lowercase();
        let status = head.split(' ').nth(1).unwrap_or_default().parse()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |value| value.trim().parse::<usize>())?;
        let begin = head_end + 4;
        while self.buffer.len() < begin + length {
            self.read().await?;
        }
        let body = self
            .buffer
            .get(begin..begin + length)
            .unwrap_or_default()
            .to_vec();
        Ok(Answer { status, body })
    }

    async fn read(&mut self) -> Outcome<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A request as it is written to the connection; `headers` end with a line break each.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A request with a JSON body.
pub fn json(path: &str, bearer: &str, body: &serde_json::Value) -> Vec<u8> {
    let headers = format!("content-type: application/json\r\nauthorization: Bearer {bearer}\r\n");
    request("POST", path, &headers, &body.to_string())
}

/// A request with a form; `headers` end with a line break each.
pub fn form(path: &str, headers: &str, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let headers = format!("content-type: application/x-www-form-urlencoded\r\n{headers}");
    request("POST", path, &headers, &form.finish())
}

/// The `Authorization` header of a client, form-url-encoded first (RFC 6749 §2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    format!("authorization: Basic {pair}\r\n")
}
