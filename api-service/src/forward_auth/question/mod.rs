//! Which request is asked about: rebuilt from exactly the headers that each proxy sets, or refused.
//!
//! | proxy | method | path and query | host | client |
//! |---|---|---|---|---|
//! | nginx | `X-Original-Method` | `X-Original-URI` | `X-Forwarded-Host` | `X-Forwarded-For` |
//! | Traefik, Caddy | `X-Forwarded-Method` | `X-Forwarded-Uri` | `X-Forwarded-Host` | `X-Forwarded-For` |
//! | Envoy | the method | the path after `/-/decide` | `Host` | `X-Forwarded-For` |
//!
//! Proxies pass on what clients send. So a header that is there twice, in another spelling, or beside that of another kind
//! of proxy is a reason to refuse: one of them is the client's.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use ipnet::IpNet;
use shared::http::client_addr::is_trusted;

use super::PATH;
use crate::policy::Folded;

const ORIGINAL_METHOD: &str = "x-original-method";
const ORIGINAL_URI: &str = "x-original-uri";
const FORWARDED_METHOD: &str = "x-forwarded-method";
const FORWARDED_URI: &str = "x-forwarded-uri";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Every header that says which request is asked about.
const QUESTION_HEADERS: [&str; 6] = [
    ORIGINAL_METHOD,
    ORIGINAL_URI,
    FORWARDED_METHOD,
    FORWARDED_URI,
    FORWARDED_HOST,
    FORWARDED_FOR,
];

/// The most addresses in `X-Forwarded-For`.
const HOPS_MAX: usize = 32;

/// The longest host, in bytes.
const HOST_BYTES_MAX: usize = 255;

/// The request that is asked about.
#[derive(Debug)]
pub(super) struct Question {
    /// Its head, as it would have come to the door itself.
    pub(super) head: Parts,
    /// The address of its client.
    pub(super) client_ip: IpAddr,
}

/// Why it is not certain which request is asked about.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ambiguity {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} is there more than once, or in another spelling")]
    Repeated(&'static str),
    #[error("the header {0} is not well formed")]
    Malformed(&'static str),
    #[error("the header {0} is none that this kind of proxy sets")]
    Foreign(&'static str),
    #[error("the path that is asked about is not well formed")]
    Path,
}

/// Which headers, beside the client's address, say what is asked.
#[derive(Clone, Copy, Debug)]
enum Dialect {
    /// Method and target, and the host, by headers.
    Headers {
        method: &'static str,
        target: &'static str,
    },
    /// By the question's own method, path and host.
    Itself,
}

impl Dialect {
    const NGINX: Self = Self::Headers {
        method: ORIGINAL_METHOD,
        target: ORIGINAL_URI,
    };
    const FORWARDED: Self = Self::Headers {
        method: FORWARDED_METHOD,
        target: FORWARDED_URI,
    };

    /// The one in which a question is asked. A path after the end point's is Envoy's, and the others say themselves by one header.
    fn of(parts: &Parts) -> Self {
        let has = |name| named(&parts.headers, name).next().is_some();
        if parts.uri.path() != PATH {
            Self::Itself
        } else if has(ORIGINAL_METHOD) || has(ORIGINAL_URI) {
            Self::NGINX
        } else {
            Self::FORWARDED
        }
    }

    /// Whether it reads this header.
    fn reads(self, name: &str) -> bool {
        match self {
            Self::Headers { method, target } => {
                [method, target, FORWARDED_HOST, FORWARDED_FOR].contains(&name)
            }
            Self::Itself => name == FORWARDED_FOR,
        }
    }
}

/// Reads the question from its head. Beside the asking proxy itself, `trusted_proxies` are believed to have told who asked them.
pub(super) fn read(parts: &Parts, trusted_proxies: &[IpNet]) -> Result<Question, Ambiguity> {
    let headers = &parts.headers;
    let dialect = Dialect::of(parts);
    let foreign = |name: &&&'static str| !dialect.reads(name) && named(headers, name).next().is_some();
    if let Some(name) = QUESTION_HEADERS.iter().find(foreign) {
        return Err(Ambiguity::Foreign(name));
    }
    let (method, target, host) = match dialect {
        Dialect::Headers { method, target } => (
            parse_method(only(headers, method)?, method)?,
            parse_target(only(headers, target)?).ok_or(Ambiguity::Malformed(target))?,
            parse_host(only(headers, FORWARDED_HOST)?, FORWARDED_HOST)?,
        ),
        Dialect::Itself => (
            parts.method.clone(),
            target_after(&parts.uri).ok_or(Ambiguity::Path)?,
            own_host(parts)?,
        ),
    };
    let client_ip = parse_client(only(headers, FORWARDED_FOR)?, trusted_proxies)?;
    let mut head = Request::new(()).into_parts().0;
    head.method = method;
    head.uri = Uri::from(target);
    head.headers = headers.clone();
    head.extensions = parts.extensions.clone();
    for name in QUESTION_HEADERS {
        head.headers.remove(name);
    }
    head.headers.insert(HOST, host);
    Ok(Question { head, client_ip })
}

/// The headers of that name, under whatever spelling.
fn named<'h>(
    headers: &'h HeaderMap,
    name: &'h str,
) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
    headers
        .iter()
        .filter(move |(given, _)| Folded::of(given).is(name))
}

/// The one header of that name.
fn only<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Ambiguity> {
    let mut given = named(headers, name);
    match (given.next(), given.next()) {
        (None, _) => Err(Ambiguity::Missing(name)),
        (Some((spelling, value)), None) if spelling == name => {
            value.to_str().map_err(|_| Ambiguity::Malformed(name))
        }
        _ => Err(Ambiguity::Repeated(name)),
    }
}

fn parse_method(text: &str, name: &'static str) -> Result<Method, Ambiguity> {
    text.parse().map_err(|_| Ambiguity::Malformed(name))
}

/// Origin form only: an absolute URI would name another host.
fn parse_target(text: &str) -> Option<PathAndQuery> {
    // The parser would drop a fragment without a word.
    let is_plain = text.starts_with('/') && !text.contains('#');
    is_plain.then(|| text.parse().ok())?
}

fn target_after(uri: &Uri) -> Option<PathAndQuery> {
    parse_target(uri.path_and_query()?.as_str().strip_prefix(PATH)?)
}

fn parse_host(text: &str, name: &'static str) -> Result<HeaderValue, Ambiguity> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    let is_plain = !text.is_empty() && text.len() <= HOST_BYTES_MAX && text.bytes().all(plain);
    match HeaderValue::from_str(text) {
        Ok(host) if is_plain => Ok(host),
        _ => Err(Ambiguity::Malformed(name)),
    }
}

/// HTTP/2 says it in the URI, HTTP/1.1 in the header.
fn own_host(parts: &Parts) -> Result<HeaderValue, Ambiguity> {
    match parts.uri.authority() {
        Some(authority) => parse_host(authority.as_str(), "host"),
        None => parse_host(only(&parts.headers, "host")?, "host"),
    }
}

/// The last address was added by the asking proxy. What stands left of it was told to that proxy, and counts as long as who
/// told it is trusted too.
fn parse_client(text: &str, trusted_proxies: &[IpNet]) -> Result<IpAddr, Ambiguity> {
    let malformed = || Ambiguity::Malformed(FORWARDED_FOR);
    let hops: Vec<IpAddr> = text
        .rsplit(',')
        .take(HOPS_MAX + 1)
        .map(|hop| hop.trim().parse::<IpAddr>().map(|address| address.to_canonical()))
        .collect::<Result<_, _>>()
        .map_err(|_| malformed())?;
    if hops.len() > HOPS_MAX {
        return Err(malformed());
    }
    let client = hops.iter().find(|hop| !is_trusted(**hop, trusted_proxies));
    client.or(hops.last()).copied().ok_or_else(malformed)
}

#[cfg(test)]
mod tests;
