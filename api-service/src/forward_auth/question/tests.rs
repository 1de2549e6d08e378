//! What each proxy sends, and what clients slip in beside it.
//!
//! The shapes are those of nginx with the files in `deploy/nginx/`, Traefik 3 (`pkg/middlewares/auth/forward.go`), Caddy 2
//! (`reverseproxy/forwardauth`) and Envoy 1.28 and later (`ext_authz`, `path_prefix`).

use proptest::prelude::*;

use super::*;

type Headers = &'static [(&'static str, &'static str)];

/// A question as its proxy asks it.
#[derive(Clone, Copy, Debug)]
struct Shape {
    method: &'static str,
    uri: &'static str,
    headers: Headers,
}

const NGINX: Shape = Shape {
    method: "GET",
    uri: "/-/decide",
    headers: &[
        ("host", "gatelog"),
        ("x-original-method", "POST"),
        ("x-original-uri", "/orders/7?x=%2e%2e"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-for", "198.51.100.7"),
        ("connection", "close"),
        ("user-agent", "curl/8"),
    ],
};

const TRAEFIK: Shape = Shape {
    method: "GET",
    uri: "/-/decide",
    headers: &[
        ("host", "door:8080"),
        ("user-agent", "curl/8"),
        ("accept-encoding", "gzip"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-server", "traefik-1"),
        ("x-forwarded-uri", "/orders/7?x=%2e%2e"),
        ("x-real-ip", "198.51.100.7"),
    ],
};

const CADDY: Shape = Shape {
    method: "GET",
    uri: "/-/decide",
    headers: &[
        ("host", "api.example"),
        ("user-agent", "curl/8"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", "/orders/7?x=%2e%2e"),
    ],
};

const ENVOY: Shape = Shape {
    method: "POST",
    uri: "/-/decide/orders/7?x=%2e%2e",
    headers: &[
        ("host", "api.example"),
        ("content-length", "0"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-envoy-internal", "true"),
    ],
};

const SHAPES: [Shape; 4] = [NGINX, TRAEFIK, CADDY, ENVOY];

impl Shape {
    /// As it comes to the door, with what a client slipped in.
    fn with(self, slipped_in: &[(&str, &str)]) -> Parts {
        let headers = self.headers.iter().chain(slipped_in);
        let mut request = Request::builder().method(self.method).uri(self.uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// With other values, or without a header where there is none.
    fn changed(self, name: &str, value: Option<&str>) -> Parts {
        let mut parts = self.with(&[]);
        parts.headers.remove(name);
        if let Some(value) = value {
            parts.headers.insert(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        parts
    }
}

fn asked(parts: &Parts) -> Result<String, Ambiguity> {
    let Question { head, client_ip } = read(parts, &[])?;
    let host = head.headers.get(HOST).unwrap().to_str().unwrap();
    Ok(format!("{} {} {host} {client_ip}", head.method, head.uri))
}

#[test]
fn every_proxy_s_question_is_the_same_request() {
    for shape in SHAPES {
        assert_eq!(
            asked(&shape.with(&[])).unwrap(),
            "POST /orders/7?x=%2e%2e api.example 198.51.100.7",
            "{shape:?}"
        );
    }
}

#[test]
fn envoy_s_host_may_stand_in_the_uri() {
    let mut parts = ENVOY.with(&[]);
    parts.headers.remove(HOST);
    parts.uri = "http://api.example/-/decide/orders".parse().unwrap();

    assert_eq!(asked(&parts).unwrap(), "POST /orders api.example 198.51.100.7");
}

/// oauth2-proxy CVE-2026-40575, Traefik CVE-2026-35051, Oathkeeper GHSA-vhr5-ggp3-qq85: the client's own word on the path.
#[test]
fn the_header_of_another_proxy_is_the_client_s_and_refused() {
    let slipped = |shape: Shape, name, value| asked(&shape.with(&[(name, value)])).unwrap_err();

    assert_eq!(
        slipped(NGINX, "x-forwarded-uri", "/public"),
        Ambiguity::Foreign(FORWARDED_URI)
    );
    assert_eq!(
        slipped(NGINX, "x-forwarded-method", "GET"),
        Ambiguity::Foreign(FORWARDED_METHOD)
    );
    for shape in [TRAEFIK, CADDY] {
        // One of them is enough to make it another kind of question, in which the rest is foreign.
        for (name, value) in [("x-original-uri", "/public"), ("x-original-method", "GET")] {
            assert!(matches!(slipped(shape, name, value), Ambiguity::Foreign(_)));
        }
    }
    for name in ["x-original-uri", "x-forwarded-uri", "x-forwarded-host"] {
        assert!(matches!(slipped(ENVOY, name, "/public"), Ambiguity::Foreign(_)));
    }
}

/// oauth2-proxy CVE-2025-64484, Traefik CVE-2026-39858: the same header under a spelling that the proxy does not replace.
#[test]
fn a_second_header_of_the_name_is_refused_under_every_spelling() {
    for (name, alias) in [
        (FORWARDED_URI, "x_forwarded_uri"),
        (FORWARDED_URI, "X.Forwarded.Uri"),
        (FORWARDED_URI, "X-Forwarded-Uri"),
        (FORWARDED_METHOD, "X-Forwarded_Method"),
        (FORWARDED_HOST, "x_forwarded_host"),
        (FORWARDED_FOR, "X-Forwarded-For"),
    ] {
        assert_eq!(
            asked(&TRAEFIK.with(&[(alias, "/public")])),
            Err(Ambiguity::Repeated(name)),
            "{alias}"
        );
    }
    // Alone it is no better: the proxy would have set the other.
    let mut parts = TRAEFIK.changed(FORWARDED_URI, None);
    parts
        .headers
        .insert("x_forwarded_uri", HeaderValue::from_static("/orders"));
    assert_eq!(asked(&parts), Err(Ambiguity::Repeated(FORWARDED_URI)));
}

#[test]
fn what_a_proxy_did_not_say_is_not_guessed() {
    for name in [ORIGINAL_METHOD, ORIGINAL_URI, FORWARDED_HOST, FORWARDED_FOR] {
        assert_eq!(
            asked(&NGINX.changed(name, None)),
            Err(Ambiguity::Missing(name)),
            "{name}"
        );
    }
    for name in [FORWARDED_METHOD, FORWARDED_URI, FORWARDED_HOST, FORWARDED_FOR] {
        assert_eq!(
            asked(&TRAEFIK.changed(name, None)),
            Err(Ambiguity::Missing(name)),
            "{name}"
        );
    }
    for name in ["host", FORWARDED_FOR] {
        assert!(asked(&ENVOY.changed(name, None)).is_err(), "{name}");
    }
    // A client that talks to the door itself has none of them.
    let nothing = Request::get("/-/decide").body(()).unwrap().into_parts().0;
    assert_eq!(asked(&nothing), Err(Ambiguity::Missing(FORWARDED_METHOD)));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (name, value) in [
        (ORIGINAL_URI, "http://api.example/orders"),
        (ORIGINAL_URI, "orders"),
        (ORIGINAL_URI, "*"),
        (ORIGINAL_URI, ""),
        (ORIGINAL_URI, "/orders#/public"),
        (ORIGINAL_URI, "/orders /public"),
        (ORIGINAL_URI, "/ord\u{e9}rs"),
        (ORIGINAL_METHOD, "GET, POST"),
        (ORIGINAL_METHOD, ""),
        (FORWARDED_HOST, "api.example, evil.example"),
        (FORWARDED_HOST, "user@api.example"),
        (FORWARDED_HOST, "api.example/x"),
        (FORWARDED_HOST, ""),
        (FORWARDED_FOR, "unknown"),
        (FORWARDED_FOR, "198.51.100.7:1234"),
        (FORWARDED_FOR, "198.51.100.7,"),
        (FORWARDED_FOR, ""),
    ] {
        assert_eq!(
            asked(&NGINX.changed(name, Some(value))),
            Err(Ambiguity::Malformed(name)),
            "{name}: {value}"
        );
    }
}

#[test]
fn the_client_is_whom_the_asking_proxy_saw_unless_that_is_a_trusted_proxy() {
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let client = |text: &str| {
        let parts = TRAEFIK.changed(FORWARDED_FOR, Some(text));
        read(&parts, &trusted).map(|question| question.client_ip.to_string())
    };

    assert_eq!(client("203.0.113.9, 198.51.100.7").unwrap(), "198.51.100.7");
    assert_eq!(
        client("6.6.6.6, 203.0.113.9, 10.0.0.2, 10.0.0.1").unwrap(),
        "203.0.113.9"
    );
    assert_eq!(client("10.0.0.2, 10.0.0.1").unwrap(), "10.0.0.2");
    assert_eq!(client("::ffff:198.51.100.7").unwrap(), "198.51.100.7");
    assert!(client(&["10.0.0.1"; HOPS_MAX + 1].join(",")).is_err());
    // What a client wrote first could hide that it is blocked, if it made the rest unreadable or ignored.
    assert!(client("garbage, 198.51.100.7").is_err());
}

proptest! {
    /// Whatever a client adds to what its proxy says, the question is refused or stays the same.
    #[test]
    fn nothing_that_is_added_makes_it_another_question(
        shape in prop::sample::select(SHAPES.to_vec()),
        name in prop::sample::select(QUESTION_HEADERS.to_vec()),
        separators in prop::collection::vec(prop::sample::select(vec!['-', '_', '.']), 2),
        value in prop::sample::select(vec!["/public", "GET", "evil.example", "127.0.0.1", ""]),
    ) {
        let mut separators = separators.into_iter();
        let alias: String = name.chars().map(|c| if c == '-' { separators.next().unwrap_or('-') } else { c }).collect();
        let parts = shape.with(&[(&alias, value)]);

        prop_assert!(asked(&parts).is_err(), "{:?}", parts.headers);
    }

    #[test]
    fn a_target_is_kept_byte_for_byte(target in "/[!$-;=?-Z_a-z~%]{0,64}") {
        let parts = NGINX.changed(ORIGINAL_URI, Some(&target));

        if let Ok(question) = read(&parts, &[]) {
            prop_assert_eq!(question.head.uri.to_string(), target);
        }
    }
}
