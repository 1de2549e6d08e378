//! The parameters of an authorization request as they came, bounded, none of them twice. Pure.

use std::collections::BTreeMap;

/// The longest query, in bytes; a sign-in page carries it along.
pub(crate) const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Parameters with their longest value, in bytes. Others are ignored (RFC 6749 §3.1).
const KNOWN: [(&str, usize); 19] = [
    ("client_id", 128),
    ("redirect_uri", 2048),
    ("state", 2048),
    ("response_type", 32),
    ("response_mode", 32),
    ("scope", 1024),
    ("code_challenge", 128),
    ("code_challenge_method", 16),
    ("nonce", 512),
    ("prompt", 64),
    ("max_age", 10),
    ("login_hint", 128),
    ("ui_locales", 128),
    ("resource", 512),
    ("request", usize::MAX),
    ("request_uri", usize::MAX),
    ("registration", usize::MAX),
    ("display", 32),
    ("acr_values", 128),
];

/// Why parameters cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Parameters with a value; those without count as absent (RFC 6749 §3.1).
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
    /// The first that stood twice.
    pub(super) doubled: Option<&'static str>,
    /// The first that was longer than it may be.
    pub(super) too_long: Option<&'static str>,
}

impl Parameters {
    /// Reads a query, or a body of that form.
    pub(super) fn parse(query: &str) -> Result<Self, TooLong> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(TooLong);
        }
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some((name, length_max)) = KNOWN.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            if value.len() > *length_max || value.contains('\0') {
                parameters.too_long.get_or_insert(name);
            }
            if parameters.values.insert(name, value.into_owned()).is_some() {
                parameters.doubled.get_or_insert(name);
            }
        }
        Ok(parameters)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a parameter that stands once and is not too long.
    pub(super) fn sound(&self, name: &str) -> Option<&str> {
        let is_sound = self.doubled != Some(name) && self.too_long != Some(name);
        self.get(name).filter(|_| is_sound)
    }

    /// The known parameters once more as a query, in a fixed order.
    pub(super) fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.values);
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_kept_and_the_rest_is_not() {
        let parameters = Parameters::parse("state=a%26b&utm=1&scope=&client_id=c").unwrap();

        assert_eq!(parameters.get("state"), Some("a&b"));
        assert_eq!(parameters.get("scope"), None);
        assert_eq!(parameters.query(), "client_id=c&state=a%26b");
    }

    #[test]
    fn what_stands_twice_or_is_too_long_is_noticed() {
        let doubled = Parameters::parse("state=a&client_id=c&state=a").unwrap();
        let long = Parameters::parse(&format!("state={}", "x".repeat(2049))).unwrap();

        assert_eq!((doubled.doubled, doubled.sound("state")), (Some("state"), None));
        assert_eq!(doubled.sound("client_id"), Some("c"));
        assert_eq!((long.too_long, long.sound("state")), (Some("state"), None));
        assert!(Parameters::parse(&"x".repeat(QUERY_BYTES_MAX + 1)).is_err());
    }
}
