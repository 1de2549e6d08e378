//! Where a browser may be sent back to: only what was registered, to the letter (RFC 9700 §2.1). Pure.

use std::net::Ipv4Addr;

use url::{Host, Url};

/// The longest address, in bytes.
const LENGTH_MAX: usize = 2048;

/// Schemes that run or read something instead of leading to a client, should one ever have been registered.
const NEVER: [&str; 6] = ["javascript", "data", "vbscript", "blob", "file", "about"];

/// Loopback addresses whose port a native client chooses anew each time (RFC 8252 §7.3). `localhost` is none of them: it
/// may resolve to anything (§8.3).
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether `asked` is one of the registered addresses.
pub(super) fn is_registered(registered: &[String], asked: &str) -> bool {
    is_sound(asked)
        && registered
            .iter()
            .any(|known| known == asked || differs_in_port(known, asked))
}

/// What no registration makes right.
fn is_sound(asked: &str) -> bool {
    if asked.len() > LENGTH_MAX || asked.contains('#') {
        return false;
    }
    let Ok(url) = Url::parse(asked) else { return false };
    let is_plain = match url.scheme() {
        // In clear text a code is anybody's (RFC 9700 §2.1).
        "http" => is_loopback(&url),
        scheme => !NEVER.contains(&scheme),
    };
    is_plain && url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Compared as text, so that nothing which a parser would make equal is equal here.
fn differs_in_port(known: &str, asked: &str) -> bool {
    LOOPBACK.iter().any(|address| {
        let (Some(known), Some(asked)) = (known.strip_prefix(address), asked.strip_prefix(address)) else {
            return false;
        };
        match (without_port(known), without_port(asked)) {
            (Some(known), Some(asked)) => known == asked,
            _ => false,
        }
    })
}

/// What follows the port of an address, or nothing if something else than a port stands there.
fn without_port(rest: &str) -> Option<&str> {
    let Some(port) = rest.strip_prefix(':') else {
        return rest.starts_with('/').then_some(rest);
    };
    let end = port.find('/')?;
    let (digits, path) = port.split_at(end);
    digits.parse::<u16>().is_ok().then_some(path)
}

#[cfg(test)]
mod tests {
    fn is_registered(registered: &str, asked: &str) -> bool {
        super::is_registered(&[registered.to_owned()], asked)
    }

    #[test]
    fn only_the_same_text_is_the_same_address() {
        let registered = "https://app.example/callback?tenant=1";

        assert!(is_registered(registered, registered));
        for other in [
            "https://app.example/callback",
            "https://app.example/callback?tenant=1&x=2",
            "https://app.example/callback?tenant=10",
            "https://app.example/callback/?tenant=1",
            "https://app.example/CALLBACK?tenant=1",
            "https://APP.example/callback?tenant=1",
            "https://app.example:443/callback?tenant=1",
            "https://app.example/x/../callback?tenant=1",
            "https://app.example.evil.example/callback?tenant=1",
            "https://evil@app.example/callback?tenant=1",
            "https://app.example/callback?tenant=1#",
            "http://app.example/callback?tenant=1",
            " https://app.example/callback?tenant=1",
            "//app.example/callback?tenant=1",
            "",
        ] {
            assert!(!is_registered(registered, other), "{other}");
        }
    }

    #[test]
    fn a_native_client_on_a_loopback_address_chooses_its_port() {
        for (registered, asked) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1/cb"),
            ("http://[::1]/cb", "http://[::1]:51004/cb"),
        ] {
            assert!(is_registered(registered, asked), "{asked}");
        }
        for (registered, asked) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
            ("http://127.0.0.1/cb", "http://[::1]:1/cb"),
            ("http://localhost/cb", "http://localhost:51004/cb"),
            ("https://app.example/cb", "https://app.example:51004/cb"),
        ] {
            assert!(!is_registered(registered, asked), "{asked}");
        }
    }

    #[test]
    fn what_leads_to_no_client_or_goes_in_clear_text_is_refused_though_it_be_registered() {
        for wrong in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "http://app.example/cb",
            "https://u:p@app.example/cb",
            "https://app.example/cb#x",
            "/cb",
        ] {
            assert!(!is_registered(wrong, wrong), "{wrong}");
        }
        let own_scheme = "com.example.app:/cb";
        assert!(is_registered(own_scheme, own_scheme));
    }
}
