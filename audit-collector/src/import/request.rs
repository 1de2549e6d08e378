//! A request that another program answered, whatever its log looks like → facts. Pure.

use shared::clock::UtcMicros;
use shared::event::{Class, ClientFacts, Facts, HttpFacts, Identity, Outcome, TraceFacts, action, bounded};

/// The longest name of a user that is kept, in bytes.
const USER_BYTES_MAX: usize = 256;

/// The longest request id that is kept, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What stands for a method where the log has none, as of a request line that was no HTTP.
const NO_METHOD: &str = "-";

/// A request as a line of a log tells it. What is absent was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it was answered or began, whichever the log tells.
    pub time: UtcMicros,
    /// The client's address.
    pub ip: Option<String>,
    /// The address of the connection, where the log tells both.
    pub peer_ip: Option<String>,
    /// The user that the server knew it by.
    pub user: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The method; none if the request was no HTTP.
    pub method: Option<String>,
    /// The host asked for.
    pub host: Option<String>,
    /// The target as asked for.
    pub target: String,
    /// The status answered; none if the connection ended before.
    pub status: Option<u16>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// Bytes of the request.
    pub request_bytes: Option<u64>,
    /// Bytes of the answer.
    pub response_bytes: Option<u64>,
    /// Its id.
    pub request_id: Option<String>,
}

impl Request {
    /// A request of which only the moment and the target are known.
    pub const fn new(time: UtcMicros, target: String) -> Self {
        Self {
            time,
            ip: None,
            peer_ip: None,
            user: None,
            user_agent: None,
            method: None,
            host: None,
            target,
            status: None,
            duration_us: None,
            request_bytes: None,
            response_bytes: None,
            request_id: None,
        }
    }

    /// What an event says of it. Who a log names is claimed, and a query is left out, as at the door.
    pub fn facts(self) -> Facts {
        let mut facts = Facts::new(Class::Access, action::API_REQUEST, outcome(self.status));
        let path = path_of(&self.target);
        facts.actor.username = self.user.map(|user| bounded(&user, USER_BYTES_MAX));
        if facts.actor.username.is_some() {
            facts.actor.identity = Identity::Claimed;
        }
        facts.client = Some(ClientFacts {
            ip: self.ip.as_deref().and_then(address),
            peer_ip: self.peer_ip.as_deref().and_then(address),
            user_agent: self
                .user_agent
                .map(|agent| bounded(&agent, ClientFacts::USER_AGENT_BYTES_MAX)),
        });
        facts.http = Some(HttpFacts {
            method: bounded(
                self.method.as_deref().unwrap_or(NO_METHOD),
                HttpFacts::METHOD_BYTES_MAX,
            ),
            host: self.host.map(|host| bounded(&host, HttpFacts::HOST_BYTES_MAX)),
            route: None,
            path: bounded(path, HttpFacts::PATH_BYTES_MAX),
            status: self.status,
            duration_us: self.duration_us,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        });
        facts.trace = self.request_id.map(|id| TraceFacts {
            request_id: bounded(&id, REQUEST_ID_BYTES_MAX),
            traceparent: None,
        });
        facts
    }
}

/// How a request ended, as far as its status tells. A log does not tell who refused, so every 4xx is a refusal.
const fn outcome(status: Option<u16>) -> Outcome {
    match status {
        Some(400..=498) => Outcome::Denied,
        Some(0..=399) => Outcome::Granted,
        // 499 is nginx's word for a client that went away.
        Some(_) | None => Outcome::Error,
    }
}

/// The path of a target: without its query, and of an absolute one without scheme and host.
fn path_of(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let is_scheme =
        |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    match target.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    }
}

/// An address in its one spelling, with or without a port behind it; nothing else is taken for one.
fn address(text: &str) -> Option<String> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let ip = plain
        .parse()
        .ok()
        .or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))?;
    Some(std::net::IpAddr::to_canonical(&ip).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_never_kept() {
        for (target, path) in [
            ("/a/b?token=secret", "/a/b"),
            ("http://x.test/a?b", "/a"),
            ("HTTPS://x.test?b", "/"),
            ("/to?next=http://x.test/", "/to"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }

    #[test]
    fn addresses_have_one_spelling_and_names_are_none() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:443", Some("192.0.2.1")),
            ("[2001:DB8::1]:443", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("example.org", None),
            ("-", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_status_says_how_it_ended() {
        for (status, expected) in [
            (Some(200), Outcome::Granted),
            (Some(304), Outcome::Granted),
            (Some(401), Outcome::Denied),
            (Some(404), Outcome::Denied),
            (Some(499), Outcome::Error),
            (Some(503), Outcome::Error),
            (None, Outcome::Error),
        ] {
            assert_eq!(outcome(status), expected, "{status:?}");
        }
    }
}
