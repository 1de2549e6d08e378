//! An API behind the door: where it is, how it is reached, and what it is told of who calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use serde::Deserialize;

use super::timeouts::{TimeoutTable, Timeouts};
use super::{IdentityClaim, IdentityHeaders};

/// Requests that one server may have open, unless the upstream says otherwise.
const OPEN_MAX: usize = 1024;

/// The longest pause between two checks.
const CHECK_SECONDS_MAX: u64 = 300;

/// An API behind the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name in the policy file.
    pub name: String,
    /// What serves it, at least one.
    pub servers: Vec<Server>,
    /// How its servers are asked whether they are well, if at all.
    pub health: Option<HealthCheck>,
    /// Whether it is spoken to by HTTP/2 alone.
    pub http2: bool,
    /// PEM of the authorities that its certificates are trusted by, instead of the machine's.
    pub authorities: Option<Vec<u8>>,
    /// Requests that one server may have open.
    pub open_max: usize,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// The headers that tell it who calls.
    pub identity: IdentityHeaders,
    /// Whether it is auth-service, the only one that Gatelog's cookies are for.
    pub gets_own_cookies: bool,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Its host and port.
    pub authority: Authority,
}

/// How servers are asked whether they are well: `GET`, answered by a status from 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for.
    pub path: PathAndQuery,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many checks that fail in a row take a server out.
    pub down_after: u32,
    /// So many that succeed in a row take it in again.
    pub up_after: u32,
}

/// `[upstream.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamTable {
    pub(super) servers: Vec<String>,
    pub(super) identity: Option<BTreeMap<String, IdentityClaim>>,
    pub(super) health: Option<HealthTable>,
    #[serde(default)]
    pub(super) http2: bool,
    /// A PEM file.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) open_max: Option<usize>,
    pub(super) timeouts: Option<TimeoutTable>,
}

/// `health = "/healthz"`, or a table with more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum HealthTable {
    Path(String),
    Full(FullHealthTable),
}

/// `health = { path = "/healthz", interval = 5, timeout = 2, down_after = 3, up_after = 2 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullHealthTable {
    path: String,
    interval: Option<u64>,
    timeout: Option<u64>,
    down_after: Option<u32>,
    up_after: Option<u32>,
}

impl UpstreamTable {
    /// The table of an upstream with one server and nothing else.
    pub(super) fn of(server: &str) -> Self {
        Self {
            servers: vec![server.to_owned()],
            identity: None,
            health: None,
            http2: false,
            ca_file: None,
            open_max: None,
            timeouts: None,
        }
    }
}

impl Upstream {
    /// The upstream that `table` describes; what is wrong with it is told to `problem`.
    pub(super) fn read(name: &str, table: UpstreamTable, mut problem: impl FnMut(String)) -> Self {
        let mut wrong = |text: String| problem(format!("upstream.{name}: {text}"));
        if table.servers.is_empty() {
            wrong("`servers` names at least one".to_owned());
        }
        let mut servers = Vec::new();
        for server in &table.servers {
            match parse_server(server) {
                Some(parsed) => servers.push(parsed),
                None => wrong(format!("{server:?} is not of the form http://host:port")),
            }
        }
        if table.open_max == Some(0) {
            wrong("`open_max` is 1 at least".to_owned());
        }
        Self {
            name: name.to_owned(),
            servers,
            health: table
                .health
                .and_then(|health| HealthCheck::read(health, &mut wrong)),
            http2: table.http2,
            authorities: table.ca_file.and_then(|file| authorities(&file, &mut wrong)),
            open_max: table.open_max.unwrap_or(OPEN_MAX),
            timeouts: Timeouts::default().with(table.timeouts, &mut wrong),
            identity: identity(table.identity, &mut wrong),
            gets_own_cookies: false,
        }
    }

    /// An upstream with one server and nothing else said of it.
    #[cfg(test)]
    pub(crate) fn of(name: &str, server: &str) -> Self {
        Self::read(name, UpstreamTable::of(server), |problem| panic!("{problem}"))
    }

    /// The same as auth-service.
    #[must_use]
    pub(crate) const fn with_own_cookies(mut self) -> Self {
        self.gets_own_cookies = true;
        self
    }
}

impl HealthCheck {
    fn read(table: HealthTable, wrong: &mut impl FnMut(String)) -> Option<Self> {
        let table = match table {
            HealthTable::Full(table) => table,
            HealthTable::Path(path) => FullHealthTable {
                path,
                interval: None,
                timeout: None,
                down_after: None,
                up_after: None,
            },
        };
        let mut seconds = |name: &str, given: Option<u64>, default| {
            let seconds = given.unwrap_or(default);
            if !(1..=CHECK_SECONDS_MAX).contains(&seconds) {
                wrong(format!(
                    "`health.{name}` is a number of seconds from 1 to {CHECK_SECONDS_MAX}"
                ));
            }
            Duration::from_secs(seconds)
        };
        let (interval, timeout) = (
            seconds("interval", table.interval, 5),
            seconds("timeout", table.timeout, 2),
        );
        let path = table.path.parse::<PathAndQuery>().ok();
        if path.is_none() || !table.path.starts_with('/') {
            wrong(format!("`health` = {:?} is not a path", table.path));
        }
        let mut times = |name: &str, given: Option<u32>, default| {
            let times = given.unwrap_or(default);
            if times == 0 {
                wrong(format!("`health.{name}` is 1 at least"));
            }
            times
        };
        Some(Self {
            interval,
            timeout,
            down_after: times("down_after", table.down_after, 3),
            up_after: times("up_after", table.up_after, 2),
            path: path?,
        })
    }
}

fn parse_server(text: &str) -> Option<Server> {
    let parts = text.parse::<Uri>().ok()?.into_parts();
    let path_is_empty = parts.path_and_query.as_ref().is_none_or(|path| path == "/");
    let scheme = parts
        .scheme
        .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?;
    let authority = parts.authority?;
    path_is_empty.then_some(Server { scheme, authority })
}

fn authorities(file: &Path, wrong: &mut impl FnMut(String)) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(pem) if shared::http::client::is_authorities(&pem) => Some(pem),
        Ok(_) => {
            wrong(format!("{} holds no certificate in PEM", file.display()));
            None
        }
        Err(error) => {
            wrong(format!("cannot read {}: {error}", file.display()));
            None
        }
    }
}

fn identity(
    table: Option<BTreeMap<String, IdentityClaim>>,
    wrong: &mut impl FnMut(String),
) -> IdentityHeaders {
    let Some(table) = table else {
        return IdentityHeaders::default();
    };
    let mut headers = Vec::new();
    for (header, claim) in table {
        match header.parse::<HeaderName>() {
            Ok(header) => headers.push((header, claim)),
            Err(_) => wrong(format!("{header:?} is not a header's name")),
        }
    }
    IdentityHeaders::new(headers)
}
