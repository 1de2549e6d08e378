//! Headers on their way to an upstream: under no spelling does a client say what only the door may say, and what is nobody's
//! business passes as it is.

use std::sync::LazyLock;

use api_service::inspect::sent_on;
use api_service::policy::{IdentityHeaders, Timeouts, Upstream};
use http::{HeaderMap, HeaderName, HeaderValue};
use shared::clock::UtcMicros;
use shared::token::{Algorithm, Verified};

static UPSTREAM: LazyLock<Upstream> = LazyLock::new(|| Upstream {
    name: "up".to_owned(),
    servers: Vec::new(),
    health: None,
    http2: false,
    authorities: None,
    open_max: 1,
    timeouts: Timeouts::default(),
    identity: IdentityHeaders::default(),
    gets_own_cookies: false,
});

static CALLER: LazyLock<Verified> = LazyLock::new(|| Verified {
    iss: "issuer".to_owned(),
    sub: "the caller".to_owned(),
    aud: Vec::new(),
    expires_at: UtcMicros::from_seconds(1),
    issued_at: None,
    jti: None,
    client_id: None,
    sid: None,
    scopes: vec!["a".to_owned(), "b".to_owned()],
    roles: Vec::new(),
    username: None,
    kid: None,
    algorithm: Algorithm::EdDsa,
    authenticated_at: None,
    claims: serde_json::Map::new(),
});

/// What the door says by itself. All else under these names, or names that are read as them, is a lie.
const SAID: [(&str, &str); 7] = [
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-proto", "https"),
    ("forwarded", "for=127.0.0.1;proto=https"),
    ("x-request-id", "example"),
    ("x-user", "the caller"),
    ("x-roles", ""),
    ("x-scopes", "a b"),
];

/// Names that nobody may send on, as they are read.
const NEVER: [&str; 17] = [
    "x-request-id",
    "x-username",
    "x-client",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "proxy",
    "x-user",
    "x-roles",
    "x-scopes",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
];

/// Names that are about the connection or for the door alone, in their one spelling.
const OF_THE_CONNECTION: [&str; 13] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "expect",
    "content-length",
    "authorization",
];

/// Checks one input: a header on each line.
pub(super) fn headers(data: &[u8]) {
    let given = parse(data);
    let listed = listed(&given);
    for caller in [None, Some(&*CALLER)] {
        let sent = sent_on(&UPSTREAM, caller, given.clone());

        for name in sent.keys() {
            check_sent(name, &sent, caller.is_some());
        }
        for name in given.keys() {
            let is_ordinary = !is_the_door_s(name) && !listed.contains(name) && name != "cookie";
            let [before, after] = [&given, &sent].map(|headers| headers.get_all(name));
            assert!(
                !is_ordinary || before == after,
                "{name} is nobody's business and does not pass as it is"
            );
        }
        check_cookies(&sent);
    }
}

fn parse(data: &[u8]) -> HeaderMap {
    let lines = data.split(|byte| *byte == b'\n').take(100);
    let pairs = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.strip_prefix(b":")?.trim_ascii()).ok()?;
        Some((name, value))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

/// What the request says concerns its connection alone.
fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all("connection").iter();
    let names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

/// As CGI and its heirs read a name.
fn read(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}

fn is_the_door_s(name: &HeaderName) -> bool {
    let read = read(name);
    let prefixes = ["x-forwarded-", "x-gatelog-", "x-original-"];
    NEVER.contains(&read.as_str())
        || prefixes.iter().any(|prefix| read.starts_with(prefix))
        || OF_THE_CONNECTION.contains(&name.as_str())
        || SAID.iter().any(|(said, _)| name == said)
}

fn check_sent(name: &HeaderName, sent: &HeaderMap, has_caller: bool) {
    if !is_the_door_s(name) {
        return;
    }
    let said = SAID.iter().find(|(said, _)| name == said);
    let (_, value) = said.unwrap_or_else(|| panic!("{name} is sent on"));
    let values: Vec<_> = sent.get_all(name).iter().collect();
    assert_eq!(values, [value], "{name} says what the door did not");
    let is_identity = ["x-user", "x-roles", "x-scopes"].contains(&name.as_str());
    assert!(
        has_caller || !is_identity,
        "nobody calls, and {name} names somebody"
    );
}

fn check_cookies(sent: &HeaderMap) {
    for value in sent.get_all("cookie") {
        for pair in value.as_bytes().split(|byte| *byte == b';') {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let name = name.trim_ascii().to_ascii_lowercase();
            let name = name.strip_prefix(b"__host-").unwrap_or(&name);
            assert!(
                !["gatelog", "gatelog-form", "gatelog-device"]
                    .contains(&String::from_utf8_lossy(name).as_ref()),
                "one of the door's own cookies is sent on"
            );
        }
    }
}
