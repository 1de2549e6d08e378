//! The client's address, by the word of trusted proxies only.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The most hops that are looked at.
const HOPS_MAX: usize = 32;

/// The address of the client behind `peer`.
///
/// `X-Forwarded-For` counts only from a trusted peer, and is read from the right: the first address that is not a
/// trusted proxy is the client. What stands left of it was sent by the client and may be anything.
pub fn client_addr(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut client = peer;
    // Bytes, not text: what a client sent ahead of a proxy's word must not make that word unreadable.
    let hops = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = hops.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops.take(HOPS_MAX) {
        if !is_trusted(client) {
            break;
        }
        let Some(address) = std::str::from_utf8(hop)
            .ok()
            .and_then(|hop| hop.trim().parse::<IpAddr>().ok())
        else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

/// What the client spoke, `https` or `http`: to a trusted proxy by its `X-Forwarded-Proto`, otherwise to us. A stranger's
/// word counts for nothing.
pub fn client_scheme(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], is_tls: bool) -> &'static str {
    let told = headers
        .get("x-forwarded-proto")
        .filter(|_| is_trusted(peer, trusted));
    let is_https = told.map_or(is_tls, |scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
    if is_https { "https" } else { "http" }
}

/// Whether `peer` is a trusted proxy.
pub fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|net| net.contains(&peer))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let headers: HeaderMap = forwarded
            .iter()
            .map(|value| {
                (
                    http::HeaderName::from_static(FORWARDED_FOR),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client_addr(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_s_word_counts_for_nothing() {
        assert_eq!(client("203.0.113.9", &["10.0.0.1"], &[]), "203.0.113.9");
        assert_eq!(
            client("203.0.113.9", &["10.0.0.1"], &["127.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let seen = client(
            "127.0.0.1",
            &["1.1.1.1, 198.51.100.7, 10.0.0.2"],
            &["127.0.0.0/8", "10.0.0.0/8"],
        );

        assert_eq!(seen, "198.51.100.7");
    }

    #[test]
    fn only_a_trusted_proxy_can_say_that_the_client_came_by_https() {
        let headers: HeaderMap = [(
            http::HeaderName::from_static("x-forwarded-proto"),
            HeaderValue::from_static("HTTPS"),
        )]
        .into_iter()
        .collect();
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        let scheme = |peer: &str, is_tls| {
            let (peer, nothing) = (peer.parse().unwrap(), HeaderMap::new());
            [&headers, &nothing].map(|headers| client_scheme(peer, headers, &trusted, is_tls))
        };

        assert_eq!(scheme("127.0.0.1", false), ["https", "http"]);
        assert_eq!(scheme("203.0.113.9", false), ["http", "http"]);
        assert_eq!(scheme("203.0.113.9", true), ["https", "https"]);
    }

    #[test]
    fn several_headers_are_one_list() {
        assert_eq!(
            client("127.0.0.1", &["1.1.1.1", "198.51.100.7"], &["127.0.0.0/8"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn garbage_ends_the_search_at_the_last_known_proxy() {
        assert_eq!(
            client("127.0.0.1", &["1.1.1.1, nonsense"], &["127.0.0.0/8"]),
            "127.0.0.1"
        );
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_what_a_proxy_said() {
        let headers = [&b"6.6.6.6"[..], b"\xff, 198.51.100.7"].map(|value| {
            (
                http::HeaderName::from_static(FORWARDED_FOR),
                HeaderValue::from_bytes(value).unwrap(),
            )
        });
        let trusted = ["127.0.0.0/8".parse().unwrap()];

        let seen = client_addr(
            "127.0.0.1".parse().unwrap(),
            &HeaderMap::from_iter(headers),
            &trusted,
        );

        assert_eq!(seen.to_string(), "198.51.100.7");
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
        assert_eq!(
            client("::ffff:127.0.0.1", &["198.51.100.7"], &["127.0.0.0/8"]),
            "198.51.100.7"
        );
    }
}
