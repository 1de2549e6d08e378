//! A real web server before the door, with a configuration and a folder of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::eventually;

/// Where Debian's packages put servers.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/// A server that runs until it is dropped.
pub(crate) struct WebServer {
    address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

/// The program of that name. `None`, and a word about it, if it is not installed and no servers are required.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable is the test harness's, and no setting"
)]
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let found = FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists());
    if found.is_none() {
        let is_required = std::env::var_os("GATELOG_TEST_REQUIRE_SERVERS").is_some();
        assert!(!is_required, "{name} is not installed");
        println!("SKIPPED: needs {name} (apt-get install {name})");
    }
    found
}

/// The program that an environment variable names. `None`, and a word about it, if it is not set.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable is the test harness's, and no setting"
)]
pub(crate) fn named_by(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|named| !named.is_empty());
    if named.is_none() {
        println!("SKIPPED: {variable} names no program");
    }
    named.map(PathBuf::from)
}

/// A file of this repository.
pub(crate) fn deployed(path: &str) -> String {
    format!("{}/../deploy/{path}", env!("CARGO_MANIFEST_DIR"))
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl WebServer {
    /// Starts a program with the configuration that `config` makes for a port and a folder, given to it by `arguments`.
    pub(crate) async fn start(
        program: &Path,
        arguments: impl Fn(&Path) -> Vec<String>,
        config: impl Fn(SocketAddr, &Path) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Nobody else has this port now, and hardly anybody in the next moment.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let file = folder.path().join("server.conf");
        std::fs::write(&file, config(address, folder.path())).unwrap();
        let mut process = Command::new(program)
            .args(arguments(&file))
            .env_clear()
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the web server listens", async || {
            assert_eq!(
                process.try_wait().unwrap(),
                None,
                "it ended: {}",
                program.display()
            );
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            address,
            process,
            _folder: folder,
        }
    }

    /// What a client at `127.0.0.{last}` is answered: the head in lower case, and the body.
    pub(crate) async fn answer(&self, last: u8, request: &str) -> RawAnswer {
        let socket = TcpSocket::new_v4().unwrap();
        let client = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        socket.bind(SocketAddr::new(client, 0)).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        RawAnswer {
            status: head.split(' ').nth(1).unwrap_or_default().to_owned(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The answer to a `GET`, whose further headers are lines.
    pub(crate) async fn get(&self, target: &str, headers: &str) -> RawAnswer {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: api.example\r\n{headers}Connection: close\r\n\r\n");
        self.answer(1, &request).await
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: String,
    head: String,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The value of a header, of which there is one at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        let mut values = self.head.lines().filter_map(|line| line.strip_prefix(&*prefix));
        let value = values.next();
        assert_eq!(values.next(), None, "twice {name} in {}", self.head);
        value
    }

    /// The body, which may be in one chunk.
    pub(crate) fn json(&self) -> serde_json::Value {
        let start = self.body.find('{').unwrap_or_default();
        let end = self.body.rfind('}').map_or(start, |end| end + 1);
        serde_json::from_str(&self.body[start..end]).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}
