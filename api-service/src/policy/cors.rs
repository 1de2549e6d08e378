//! Which pages of other origins may call a route from a browser (the CORS protocol of the Fetch standard).

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

/// The longest time that a browser is told to remember an answer: a day. Browsers cut it shorter by themselves.
const MAX_AGE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// What pages of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The origins, byte for byte as browsers send them. Never `*`: who may call from a browser is named.
    pub origins: Vec<String>,
    /// The headers that a page may send, beside those that it always may, in small letters.
    pub headers: Vec<HeaderName>,
    /// The headers of answers that a page may read, beside those that it always may.
    pub expose: Vec<HeaderName>,
    /// Whether a browser may add cookies.
    pub credentials: bool,
    /// How long a browser may remember the answer.
    pub max_age: Duration,
}

/// `cors = { origins = ["https://app.example.com"], headers = ["x-trace"], expose = ["etag"], credentials = false, max_age = 600 }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorsTable {
    origins: Vec<String>,
    /// `authorization` and `content-type` if not given.
    headers: Option<Vec<String>>,
    #[serde(default)]
    expose: Vec<String>,
    #[serde(default)]
    credentials: bool,
    /// Seconds; 600 if not given.
    max_age: Option<u64>,
}

impl Cors {
    /// What `table` says; what is wrong with it is told to `wrong`.
    pub(super) fn read(table: CorsTable, wrong: &mut impl FnMut(String)) -> Self {
        if table.origins.is_empty() {
            wrong("`cors.origins` names at least one".to_owned());
        }
        for origin in table.origins.iter().filter(|origin| !is_origin(origin)) {
            wrong(format!(
                "`cors.origins`: {origin:?} is not an origin such as https://app.example.com; `*` is none"
            ));
        }
        let mut names = |names: Vec<String>| -> Vec<HeaderName> {
            let parse = |name: &String| {
                let parsed = name.parse().ok();
                if parsed.is_none() {
                    wrong(format!("`cors`: {name:?} is not a header's name"));
                }
                parsed
            };
            names.iter().filter_map(parse).collect()
        };
        let headers = table
            .headers
            .unwrap_or_else(|| vec!["authorization".to_owned(), "content-type".to_owned()]);
        let (headers, expose) = (names(headers), names(table.expose));
        let max_age = table.max_age.unwrap_or(600);
        if max_age > MAX_AGE_SECONDS_MAX {
            wrong(format!("`cors.max_age` is {MAX_AGE_SECONDS_MAX} seconds at most"));
        }
        Self {
            origins: table.origins,
            headers,
            expose,
            credentials: table.credentials,
            max_age: Duration::from_secs(max_age),
        }
    }

    /// Whether pages of `origin` may call.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes())
    }
}

/// Whether browsers would send exactly this: scheme and host in small letters, no port that goes without saying, no path.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    }) && !text.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in [
            "https://app.example.com",
            "http://localhost:5173",
            "https://[::1]",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "*",
            "null",
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com:443",
            "app.example.com",
            "https://*.example.com",
            "file:///x",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
