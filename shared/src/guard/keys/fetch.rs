//! Asks an issuer for its keys, once, and believes the answer only within bounds.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL};
use http::{HeaderMap, Uri};

use crate::http::client::{CallError, PooledClient, get_with_head};
use crate::token::{JwksError, KEY_SET_BYTES_MAX, KeySet};

/// How long a set is used before it is asked for again, if the issuer does not say.
const FRESH_FOR: Duration = Duration::from_mins(5);

/// What the issuer may say: not so short that it is asked all the time, not so long that a key which it withdrew lives on.
const FRESH_MIN: Duration = Duration::from_secs(30);
const FRESH_MAX: Duration = Duration::from_hours(1);

/// Why keys could not be refreshed; those known stay in force.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The set could not be fetched.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What came is no key set.
    #[error(transparent)]
    Keys(#[from] JwksError),
}

/// A key set as an issuer answered with it.
#[derive(Debug)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// What they were read from.
    pub(super) body: Bytes,
    /// How long they are to be used before they are asked for again.
    pub(super) fresh_for: Duration,
}

/// Asks for a key set once. `jwks` comes from settings, never from a token.
pub async fn fetch(client: &PooledClient, jwks: &Uri) -> Result<Fetched, RefreshError> {
    let (head, body) = get_with_head(client, jwks, None, KEY_SET_BYTES_MAX).await?;
    Ok(Fetched {
        keys: KeySet::from_jwks(&body)?,
        fresh_for: fresh_for(&head),
        body,
    })
}

/// RFC 9111 §4.2: what is left of `max-age`, within our own bounds.
fn fresh_for(head: &HeaderMap) -> Duration {
    let texts = head
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut told = None;
    for directive in texts.flat_map(|text| text.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let seconds = value.trim_matches('"').parse().ok().map(Duration::from_secs);
        match (name.to_ascii_lowercase().as_str(), seconds) {
            ("no-store" | "no-cache", _) => return FRESH_MIN,
            ("max-age", Some(max_age)) => told = told.or(Some(max_age)),
            _ => {}
        }
    }
    let age = head.get(AGE).and_then(|value| value.to_str().ok()?.parse().ok());
    let age = Duration::from_secs(age.unwrap_or(0));
    told.map_or(FRESH_FOR, |max_age| {
        max_age.saturating_sub(age).clamp(FRESH_MIN, FRESH_MAX)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_issuer_says_for_how_long_its_keys_are_good_within_bounds() {
        for (control, age, expected) in [
            ("", "", 300),
            ("public", "", 300),
            ("max-age=soon", "", 300),
            ("public, max-age=600, must-revalidate", "", 600),
            ("MAX-AGE=\"600\"", "", 600),
            ("max-age=600, max-age=900", "", 600),
            ("max-age=600", "100", 500),
            ("max-age=600", "900", 30),
            ("max-age=600", "-1", 600),
            ("max-age=1", "", 30),
            ("max-age=31536000", "", 3_600),
            ("max-age=600, no-cache", "", 30),
            ("no-store", "", 30),
        ] {
            let mut head = HeaderMap::new();
            head.insert(CACHE_CONTROL, HeaderValue::from_static(control));
            head.insert(AGE, HeaderValue::from_static(age));

            assert_eq!(fresh_for(&head).as_secs(), expected, "{control} {age}");
        }
    }
}
