//! Where a receiver is. Pure.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// The URL of a receiver. A secret, never shown: many receivers are known by their address alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Uri);

/// Not where a receiver could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an `https` or `http` URL")]
pub struct InvalidAddress;

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Address(…)")
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri: Uri = text.parse().map_err(|_| InvalidAddress)?;
        let is_of_http = matches!(uri.scheme_str(), Some("https" | "http"));
        if is_of_http && uri.host().is_some() {
            Ok(Self(uri))
        } else {
            Err(InvalidAddress)
        }
    }
}

impl Address {
    /// The URL, to be asked.
    pub(super) const fn uri(&self) -> &Uri {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_of_http_and_is_not_shown() {
        for (text, is_address) in [
            ("https://hooks.test/T1/token", true),
            ("http://127.0.0.1:8080", true),
            ("ftp://hooks.test", false),
            ("/hook", false),
            ("hooks.test", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Address>().is_ok(), is_address, "{text}");
        }
        let address: Address = "https://hooks.test/token".parse().unwrap();
        assert_eq!(format!("{address:?}"), "Address(…)");
    }
}
