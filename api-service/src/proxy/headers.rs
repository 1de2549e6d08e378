//! Which headers cross the door, in either direction.

use std::net::IpAddr;
use std::sync::LazyLock;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use shared::http::request_id::X_REQUEST_ID;

use super::Outgoing;
use crate::policy::{Folded, IdentityHeaders};

/// Headers that concern one connection only (RFC 9110 §7.6.1), and the old ones that some proxies still send.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Names that only the door may set, in folded spelling: what begins so tells an upstream who calls or from where.
const RESERVED_PREFIXES: [&str; 3] = ["x-forwarded-", "x-gatelog-", "x-original-"];

/// The same, whole names: addresses, and headers by which frameworks take a request for another one than was decided on.
/// `Proxy` becomes `HTTP_PROXY` to CGI and its heirs. The request's id is that of its event.
const RESERVED: [&str; 9] = [
    "x-request-id",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "proxy",
];

/// The identity headers of an upstream that names none. No client may send them to any other either.
static USUAL_IDENTITY: LazyLock<IdentityHeaders> = LazyLock::new(IdentityHeaders::default);

/// The cookies of the hosted pages, on https and in development.
const OWN_COOKIES: [&str; 6] = [
    "__Host-gatelog",
    "__Host-gatelog-form",
    "__Host-gatelog-device",
    "gatelog",
    "gatelog-form",
    "gatelog-device",
];

/// Turns the headers of a request into those that its upstream gets.
///
/// A header is removed by its folded spelling: `X-User`, `x_user` and `X.User` are one to many upstreams. The door's own
/// are set last, so that nothing a client sends, `Connection` included, can take them away.
pub(crate) fn outgoing(headers: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    let takes_trailers = outgoing.upstream.http2 && takes_trailers(headers);
    remove_hop_by_hop(headers);
    let identity = &outgoing.upstream.identity;
    let refused: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_reserved(name, identity))
        .cloned()
        .collect();
    for name in refused {
        headers.remove(name);
    }
    for name in [FORWARDED, HOST, EXPECT, CONTENT_LENGTH] {
        // The client of the next connection sets the last three by itself.
        headers.remove(name);
    }
    if !outgoing.forward_token {
        headers.remove(AUTHORIZATION);
    }
    if !outgoing.upstream.gets_own_cookies {
        remove_own_cookies(headers);
    }
    set(headers, X_FORWARDED_FOR, &outgoing.client_ip.to_string());
    set(headers, X_FORWARDED_PROTO, outgoing.scheme);
    if let Some(host) = outgoing.host {
        set(headers, X_FORWARDED_HOST, host);
    }
    set(headers, FORWARDED, &forwarded(outgoing));
    set(headers, X_REQUEST_ID, outgoing.request_id);
    if takes_trailers {
        // The one word that HTTP/2 allows here, without which servers of gRPC refuse.
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    for (name, value) in identity.told(outgoing.caller) {
        if let Some(value) = value {
            set(headers, name.clone(), &value);
        }
    }
}

/// RFC 7239 §4. Addresses of IPv6 and hosts with a port stand in quotes.
fn forwarded(outgoing: &Outgoing<'_>) -> String {
    let client = match outgoing.client_ip {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    // What could end the quotes is in no host that comes this far.
    let host = outgoing.host.filter(|host| !host.contains(['"', '\\']));
    let host = host.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    format!("for={client};proto={}{host}", outgoing.scheme)
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Takes Gatelog's cookies out of a request, byte for byte: who has one is signed in as its user.
fn remove_own_cookies(headers: &mut HeaderMap) {
    let kept: Vec<HeaderValue> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(without_own_cookies)
        .collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

fn without_own_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    let is_own = |pair: &&[u8]| {
        let name = pair
            .split(|byte| *byte == b'=')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        OWN_COOKIES
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    };
    let pairs = value.as_bytes().split(|byte| *byte == b';');
    let kept: Vec<&[u8]> = pairs
        .filter(|pair| !is_own(pair))
        .map(<[u8]>::trim_ascii)
        .collect();
    let kept = kept.join(b"; ".as_slice());
    HeaderValue::from_bytes(&kept)
        .ok()
        .filter(|kept| !kept.is_empty())
}

/// Removes what concerned only the connection to the upstream.
pub(super) fn incoming(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn is_reserved(name: &HeaderName, identity: &IdentityHeaders) -> bool {
    let folded = Folded::of(name);
    RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
        || RESERVED.iter().any(|reserved| folded.is(reserved))
        || identity.has(name)
        || USUAL_IDENTITY.has(name)
}

/// Sets a header whose value may hold what no header can; then the upstream gets none rather than a wrong one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;
    use shared::clock::UtcMicros;
    use shared::token::{Algorithm, Verified};

    use super::*;
    use crate::policy::{IdentityClaim, Upstream};

    fn caller() -> Verified {
        Verified {
            iss: "i".into(),
            sub: "usr_1".into(),
            aud: vec![],
            expires_at: UtcMicros::from_seconds(1),
            issued_at: None,
            jti: None,
            client_id: Some("app".into()),
            sid: None,
            scopes: vec!["a".into(), "b".into()],
            roles: vec!["staff".into()],
            username: None,
            kid: None,
            algorithm: Algorithm::EdDsa,
            authenticated_at: None,
            claims: serde_json::Map::new(),
        }
    }

    fn request<'a>(
        upstream: &'a Upstream,
        caller: Option<&'a Verified>,
        forward_token: bool,
    ) -> Outgoing<'a> {
        Outgoing {
            upstream,
            path: "/",
            forward_token,
            caller,
            client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            scheme: "https",
            host: Some("door.example"),
            request_id: "r1",
        }
    }

    fn sent(given: &[(&str, &str)], caller: Option<&Verified>, forward_token: bool) -> HeaderMap {
        let identity = IdentityHeaders::new(vec![(HeaderName::from_static("x-who"), IdentityClaim::Sub)]);
        let upstream = Upstream {
            identity,
            ..Upstream::of("u", "http://127.0.0.1:1")
        };
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        outgoing(&mut headers, &request(&upstream, caller, forward_token));
        headers
    }

    #[test]
    fn identity_is_the_door_s_word_under_every_spelling() {
        let forged = [
            ("X-Who", "evil"),
            ("x_who", "evil"),
            ("X.Who", "evil"),
            ("x-user", "evil"),
            ("X_Roles", "admin"),
        ];

        let headers = sent(&forged, Some(&caller()), false);

        assert_eq!(headers.get("x-who").unwrap(), "usr_1");
        assert!(
            !headers.values().any(|value| value == "evil" || value == "admin"),
            "{headers:?}"
        );
    }

    #[test]
    fn without_a_caller_no_identity_header_is_left() {
        let headers = sent(&[("x-who", "evil"), ("x-user", "evil")], None, false);

        assert!(!headers.contains_key("x-who") && !headers.contains_key("x-user"));
    }

    #[test]
    fn connection_cannot_take_identity_away() {
        let headers = sent(
            &[("connection", "x-who, x-forwarded-for, close")],
            Some(&caller()),
            false,
        );

        assert_eq!(headers.get("x-who").unwrap(), "usr_1");
        assert_eq!(headers.get("x-forwarded-for").unwrap(), "127.0.0.1");
        assert!(!headers.contains_key("connection"));
    }

    #[test]
    fn the_token_stays_at_the_door_unless_the_route_says_otherwise() {
        let given = [("authorization", "Bearer t")];

        assert!(!sent(&given, Some(&caller()), false).contains_key("authorization"));
        assert!(sent(&given, Some(&caller()), true).contains_key("authorization"));
    }

    #[test]
    fn forwarded_addresses_are_the_door_s_own() {
        let given = [
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x_real_ip", "1.1.1.1"),
        ];

        let headers = sent(&given, None, false);

        assert_eq!(headers.get("x-forwarded-for").unwrap(), "127.0.0.1");
        assert_eq!(headers.get("x-forwarded-host").unwrap(), "door.example");
        assert_eq!(headers.get("x-forwarded-proto").unwrap(), "https");
        assert_eq!(
            headers.get("forwarded").unwrap(),
            r#"for=127.0.0.1;proto=https;host="door.example""#
        );
        assert!(
            !headers
                .values()
                .any(|value| value.to_str().unwrap().contains("1.1.1.1"))
        );
    }

    #[test]
    fn the_id_of_a_request_is_that_of_its_event_under_every_spelling() {
        let given = [
            ("X-Request-Id", "evil"),
            ("x_request_id", "evil"),
            ("X.Request-ID", "evil"),
        ];

        let headers = sent(&given, None, false);

        assert_eq!(headers.get("x-request-id").unwrap(), "r1");
        assert!(!headers.values().any(|value| value == "evil"), "{headers:?}");
    }

    #[test]
    fn nothing_lets_an_upstream_take_the_request_for_another() {
        let given = [
            "X-HTTP-Method-Override",
            "x_http_method",
            "X-Rewrite-URL",
            "X-Original-URL",
            "Proxy",
        ];

        for name in given {
            assert!(
                !sent(&[(name, "evil")], None, false)
                    .values()
                    .any(|value| value == "evil"),
                "{name}"
            );
        }
    }

    #[test]
    fn gatelog_s_cookies_reach_no_upstream_and_all_others_do() {
        let given = [
            (
                "cookie",
                "a=1; __Host-gatelog=secret;b=2;  gatelog=secret; gatelog2=3",
            ),
            ("cookie", "__Host-gatelog-form=secret"),
            ("cookie", "__host-GATELOG = secret; c=\"gatelog=4\"; d"),
        ];

        let headers = sent(&given, None, false);

        let left: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2; gatelog2=3", "c=\"gatelog=4\"; d"]);
    }

    #[test]
    fn auth_service_gets_gatelog_s_cookies() {
        let upstream = Upstream::of("auth", "http://127.0.0.1:1").with_own_cookies();
        let mut headers = HeaderMap::from_iter([(COOKIE, "__Host-gatelog=secret".parse().unwrap())]);

        outgoing(&mut headers, &request(&upstream, None, false));

        assert_eq!(headers.get(COOKIE).unwrap(), "__Host-gatelog=secret");
    }

    proptest! {
        #[test]
        fn no_spelling_of_an_identity_header_passes(
            separators in prop::collection::vec(prop::sample::select(vec!["-", "_", "."]), 1),
            upper in any::<bool>(),
        ) {
            let name = format!("x{}who", separators.concat());
            let name = if upper { name.to_uppercase() } else { name };
            let headers = sent(&[(&name, "evil")], None, false);
            prop_assert!(!headers.values().any(|value| value == "evil"));
        }
    }
}
