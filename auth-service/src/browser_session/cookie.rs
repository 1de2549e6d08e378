//! The cookies of the hosted pages. Pure.
//!
//! `__Host-` binds them to this one host and to https; where the issuer is a loopback address on plain http, which is for
//! development, they have to do without.

use http::HeaderMap;
use http::header::COOKIE;
use url::{Host, Url};

/// A cookie of Gatelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Who is signed in.
    Session,
    /// A secret of the browser that its forms are bound to, before anybody is signed in.
    Form,
    /// That its user has signed in here before, which keeps it able to while others try its name. Proves nothing else.
    Device,
}

/// The longest value: a prefix, and 32 bytes in base64url.
const VALUE_LENGTH_MAX: usize = 64;

/// How long a browser keeps that its user has signed in on it, in seconds.
const DEVICE_SECONDS: u32 = 90 * 24 * 60 * 60;

/// How the cookies are called and protected here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CookieRules {
    is_https: bool,
}

impl CookieRules {
    /// By the issuer, never by the request.
    pub(crate) fn of(issuer: &str) -> Self {
        let is_development = Url::parse(issuer).is_ok_and(|url| {
            let is_loopback = match url.host() {
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                Some(Host::Domain(name)) => name == "localhost",
                None => false,
            };
            url.scheme() == "http" && is_loopback
        });
        Self {
            is_https: !is_development,
        }
    }

    const fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.is_https) {
            (Cookie::Session, true) => "__Host-gatelog",
            (Cookie::Session, false) => "gatelog",
            (Cookie::Form, true) => "__Host-gatelog-form",
            (Cookie::Form, false) => "gatelog-form",
            (Cookie::Device, true) => "__Host-gatelog-device",
            (Cookie::Device, false) => "gatelog-device",
        }
    }

    /// The value that came with a request; none if there are several, since one of them was put there by somebody else.
    pub(crate) fn read(self, cookie: Cookie, headers: &HeaderMap) -> Option<String> {
        let name = self.name(cookie);
        let mut values = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(own, _)| *own == name);
        let (Some((_, value)), None) = (values.next(), values.next()) else {
            return None;
        };
        (1..=VALUE_LENGTH_MAX)
            .contains(&value.len())
            .then(|| value.to_owned())
    }

    /// The header that sets it, until the browser is closed: how long a session is good is the service's to say.
    pub(crate) fn set(self, cookie: Cookie, value: &str) -> String {
        match cookie {
            Cookie::Session | Cookie::Form => self.header(cookie, value, ""),
            Cookie::Device => self.header(cookie, value, &format!("; Max-Age={DEVICE_SECONDS}")),
        }
    }

    /// The header that removes it.
    pub(crate) fn clear(self, cookie: Cookie) -> String {
        self.header(cookie, "", "; Max-Age=0")
    }

    fn header(self, cookie: Cookie, value: &str, age: &str) -> String {
        let name = self.name(cookie);
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (COOKIE, value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn cookies_are_bound_to_the_host_and_to_https_save_on_a_loopback_address() {
        let https = CookieRules::of("https://gate.example");

        assert_eq!(
            https.set(Cookie::Session, "v"),
            "__Host-gatelog=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(https.clear(Cookie::Session).ends_with("; Secure; Max-Age=0"));
        for issuer in [
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            assert_eq!(
                CookieRules::of(issuer).set(Cookie::Form, "v"),
                "gatelog-form=v; Path=/; HttpOnly; SameSite=Lax"
            );
        }
        for issuer in [
            "http://gate.example",
            "http://localhost.evil.example",
            "https://127.0.0.1",
        ] {
            assert_eq!(CookieRules::of(issuer), https, "{issuer}");
        }
    }

    #[test]
    fn a_value_is_read_if_it_is_the_only_one_and_not_too_long() {
        let rules = CookieRules::of("https://gate.example");
        let value = "v".repeat(VALUE_LENGTH_MAX);
        let own = format!("a=b; __Host-gatelog={value}");

        assert_eq!(
            rules.read(Cookie::Session, &headers(&[&own])),
            Some(value.clone())
        );
        assert_eq!(rules.read(Cookie::Form, &headers(&[&own])), None);
        assert_eq!(rules.read(Cookie::Session, &headers(&[&own, &own])), None);
        assert_eq!(
            rules.read(Cookie::Session, &headers(&[&format!("gatelog={value}")])),
            None
        );
        assert_eq!(rules.read(Cookie::Session, &headers(&[&format!("{own}x")])), None);
    }
}
