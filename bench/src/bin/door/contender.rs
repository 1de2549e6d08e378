//! Everything that is measured, started once and asked in turn.

use std::process::{Command, Stdio};

use bench::Outcome;
use bench::http::{Connection, request};
use bench::process::{Server, free_port};
use tempfile::TempDir;

use crate::Measure;
use crate::gatelog::{Cache, FORWARDED, Gatelog};
use crate::rival;

/// Tokens in rotation where many are asked with: as many as a busy door sees at a time.
const TOKENS: usize = 5_000;

/// The algorithms that auth-service signs with.
const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

/// One row of the table.
pub(crate) struct Contender<'s> {
    pub(crate) name: String,
    pub(crate) server: &'s Server,
    /// What is asked, in rotation.
    pub(crate) requests: Vec<Vec<u8>>,
}

/// A door whose tokens are signed with one algorithm.
struct Signed {
    algorithm: &'static str,
    cached: Gatelog,
    cached_tokens: Vec<String>,
    uncached: Gatelog,
    uncached_tokens: Vec<String>,
    haproxy: Option<Server>,
}

/// All servers.
pub(crate) struct Scene {
    handler: Server,
    proxy: Server,
    nginx: Option<Server>,
    signed: Vec<Signed>,
    /// Configurations, keys and logs; removed at the end.
    _folder: TempDir,
}

impl Scene {
    /// Starts everything.
    pub(crate) async fn set(arguments: &Measure) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let handler = baseline(&["handler"]).await?;
        let upstream = handler.port;
        let mut signed = Vec::new();
        for algorithm in ALGORITHMS {
            let cached = Gatelog::start(arguments, algorithm, upstream, Cache::On).await?;
            let uncached = Gatelog::start(arguments, algorithm, upstream, Cache::Off).await?;
            let number = if algorithm == "EdDSA" { TOKENS } else { 1 };
            let cached_tokens = cached.tokens(arguments, number).await?;
            let haproxy = match (algorithm, cached_tokens.first()) {
                // HAProxy knows no EdDSA.
                ("ES256" | "RS256", Some(token)) => {
                    let jwks = cached.jwks().await?;
                    rival::haproxy(folder.path(), algorithm, &jwks, token, upstream).await?
                }
                _ => None,
            };
            signed.push(Signed {
                algorithm,
                cached_tokens,
                uncached_tokens: uncached.tokens(arguments, 1).await?,
                cached,
                uncached,
                haproxy,
            });
        }
        Ok(Self {
            proxy: baseline(&["proxy", &upstream.to_string()]).await?,
            nginx: rival::nginx(folder.path(), upstream).await?,
            handler,
            signed,
            _folder: folder,
        })
    }

    /// The rows, each beside what it is compared with.
    pub(crate) fn contenders(&self) -> Vec<Contender<'_>> {
        let row = |name: String, server, path: &str, tokens: &[String]| Contender {
            name,
            server,
            requests: tokens.iter().map(|token| asking(path, token)).collect(),
        };
        let none = [String::new()];
        let mut rows = vec![row("bare handler".to_owned(), &self.handler, "/api/me", &none)];
        for signed in &self.signed {
            let Signed {
                algorithm,
                cached,
                uncached,
                ..
            } = signed;
            let one = signed.cached_tokens.get(..1).unwrap_or_default();
            let name = format!("door, {algorithm}, cached");
            rows.push(row(name, &cached.door, "/api/me", one));
            let name = format!("door, {algorithm}, verified each time");
            rows.push(row(name, &uncached.door, "/api/me", &signed.uncached_tokens));
            if signed.cached_tokens.len() > 1 {
                let name = format!("door, {algorithm}, cached, {TOKENS} tokens");
                rows.push(row(name, &cached.door, "/api/me", &signed.cached_tokens));
            }
        }
        rows.push(row("bare proxy".to_owned(), &self.proxy, FORWARDED, &none));
        for signed in &self.signed {
            let (algorithm, one) = (
                signed.algorithm,
                signed.cached_tokens.get(..1).unwrap_or_default(),
            );
            let name = format!("door as proxy, {algorithm}, cached");
            rows.push(row(name, &signed.cached.door, FORWARDED, one));
            if let Some(haproxy) = &signed.haproxy {
                let name = format!("HAProxy as proxy, {algorithm}, log");
                rows.push(row(name, haproxy, FORWARDED, one));
            }
        }
        if let Some(nginx) = &self.nginx {
            rows.push(row(
                "nginx as proxy, no token, log".to_owned(),
                nginx,
                FORWARDED,
                &none,
            ));
        }
        rows
    }
}

fn asking(path: &str, token: &str) -> Vec<u8> {
    let bearer = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    request("GET", path, &bearer, "")
}

/// This very program as a baseline.
async fn baseline(arguments: &[&str]) -> Outcome<Server> {
    let port = free_port()?;
    let mut command = Command::new(std::env::current_exe()?);
    let (kind, rest) = arguments.split_first().ok_or("no baseline")?;
    command
        .arg(kind)
        .arg(port.to_string())
        .args(rest)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(Server::start(&mut command, port, "/ready").await?.0)
}

/// A connection's requests, in rotation.
pub(crate) struct Asker {
    requests: std::iter::Cycle<std::vec::IntoIter<Vec<u8>>>,
}

impl bench::load::Asker for Asker {
    async fn ask(&mut self, connection: &mut Connection) -> Outcome<bool> {
        let request = self.requests.next().ok_or("nothing to ask")?;
        let answer = connection.ask(&request).await?;
        if answer.status != 200 {
            let said = String::from_utf8_lossy(&answer.body);
            return Err(format!("answered with {}: {said}", answer.status).into());
        }
        Ok(true)
    }
}

/// As many connections, each with its share of the requests.
pub(crate) async fn askers(
    port: u16,
    requests: &[Vec<u8>],
    connections: usize,
) -> Outcome<Vec<(Asker, Connection)>> {
    let mut askers = Vec::new();
    for number in 0..connections {
        let share: Vec<_> = if requests.len() < connections {
            requests.to_vec()
        } else {
            requests
                .iter()
                .skip(number)
                .step_by(connections)
                .cloned()
                .collect()
        };
        let requests = share.into_iter().cycle();
        askers.push((Asker { requests }, Connection::open(port).await?));
    }
    Ok(askers)
}
